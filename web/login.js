/** Asks for the password, and is there where the gallery would be: after it the same address shows that. */
if (localStorage.theme) document.documentElement.dataset.theme = localStorage.theme;
const form = /** @type {HTMLFormElement} */ (document.getElementById("login"));
const said = /** @type {HTMLElement} */ (document.getElementById("said"));
const password = /** @type {HTMLInputElement} */ (document.getElementById("password"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.textContent = "";
  try {
    const answer = await fetch("/api/v1/login", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ password: password.value }),
    });
    if (answer.ok) return location.reload();
    const { error = `photond answered ${answer.status}` } = await answer.json().catch(() => ({}));
    said.textContent = error[0].toUpperCase() + error.slice(1) + ".";
  } catch {
    said.textContent = "photond does not answer.";
  }
  button.disabled = false;
  password.select();
});
