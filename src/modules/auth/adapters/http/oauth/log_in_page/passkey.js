// Offers a login by passkey on the login page. Where this does not run, the page is the form that it always was.
(() => {
  "use strict";
  const form = document.querySelector("form[data-start]");
  const keys = window.PublicKeyCredential;
  if (!form || !keys || !keys.parseRequestOptionsFromJSON) return;
  const button = form.querySelector("button");
  const status = form.querySelector("[role=status]");
  const start = async () => {
    const answer = await fetch(form.dataset.start, { method: "POST", credentials: "omit" });
    if (!answer.ok) throw new Error(`the start answered ${answer.status}`);
    return answer.json();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = "";
    try {
      const begun = await start();
      const publicKey = keys.parseRequestOptionsFromJSON(begun.options);
      const credential = await navigator.credentials.get({ publicKey });
      form.elements.ceremony.value = begun.ceremony;
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch {
      status.textContent = "That did not work. Try again, or log in by password.";
      button.disabled = false;
    }
  });
  form.hidden = false;
})();
