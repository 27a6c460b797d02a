//! Tag numbers. Sources: TIFF 6.0, TIFF/EP (ISO 12234-2), EXIF 2.32 (CIPA DC-008), DNG 1.7, and for
//! the makers' own the ExifTool tag tables.

pub(super) const NEW_SUBFILE_TYPE: u16 = 0x00FE;
pub(super) const IMAGE_WIDTH: u16 = 0x0100;
pub(super) const IMAGE_LENGTH: u16 = 0x0101;
pub(super) const COMPRESSION: u16 = 0x0103;
pub(super) const PHOTOMETRIC: u16 = 0x0106;
pub(super) const MAKE: u16 = 0x010F;
pub(super) const MODEL: u16 = 0x0110;
pub(super) const STRIP_OFFSETS: u16 = 0x0111;
pub(super) const ORIENTATION: u16 = 0x0112;
pub(super) const STRIP_BYTE_COUNTS: u16 = 0x0117;
pub(super) const TILE_OFFSETS: u16 = 0x0144;
pub(super) const TILE_BYTE_COUNTS: u16 = 0x0145;
pub(super) const SUB_IFDS: u16 = 0x014A;
pub(super) const JPEG_OFFSET: u16 = 0x0201;
pub(super) const JPEG_LENGTH: u16 = 0x0202;
pub(super) const XMP: u16 = 0x02BC;
pub(super) const EXPOSURE_TIME: u16 = 0x829A;
pub(super) const F_NUMBER: u16 = 0x829D;
pub(super) const EXIF_IFD: u16 = 0x8769;
pub(super) const GPS_IFD: u16 = 0x8825;
pub(super) const DATE_TIME_ORIGINAL: u16 = 0x9003;
pub(super) const MAKER_NOTE: u16 = 0x927C;
pub(super) const PIXEL_X_DIMENSION: u16 = 0xA002;
pub(super) const PIXEL_Y_DIMENSION: u16 = 0xA003;
pub(super) const INTEROP_IFD: u16 = 0xA005;
pub(super) const DNG_VERSION: u16 = 0xC612;
pub(super) const DEFAULT_SCALE: u16 = 0xC61E;
pub(super) const DEFAULT_CROP_SIZE: u16 = 0xC620;
pub(super) const DNG_PRIVATE_DATA: u16 = 0xC634;
pub(super) const ACTIVE_AREA: u16 = 0xC68D;
pub(super) const DEFAULT_USER_CROP: u16 = 0xC7B5;

/// Panasonic RW2, first directory: the sensor's borders in pixels, and a whole JPEG as the value.
pub(super) mod panasonic {
    pub(in super::super) const SENSOR_TOP: u16 = 0x0004;
    pub(in super::super) const SENSOR_LEFT: u16 = 0x0005;
    pub(in super::super) const SENSOR_BOTTOM: u16 = 0x0006;
    pub(in super::super) const SENSOR_RIGHT: u16 = 0x0007;
    pub(in super::super) const JPG_FROM_RAW: u16 = 0x002E;
}

/// Values of [`PHOTOMETRIC`] that mean a sensor's samples.
pub(super) const PHOTOMETRIC_CFA: u32 = 32_803;
pub(super) const PHOTOMETRIC_LINEAR_RAW: u32 = 34_892;
