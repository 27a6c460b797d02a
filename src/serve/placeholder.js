// The newest photos, as they are.
const answer = await fetch('/api/v1/view', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: '{}',
});
const bytes = new Uint8Array(await answer.arrayBuffer());
const end = bytes.indexOf(10) + 1;
const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
const ids = new Uint32Array(bytes.buffer, end, Math.min(head.n, 500));
for (const id of ids) {
  const image = new Image();
  image.loading = 'lazy';
  image.alt = `photo ${id}`;
  image.src = `/t/${head.epoch}/${id}`;
  document.getElementById('photos').append(image);
}
