// What is wrong with the page as it is shown now: a list of sentences.
const faults = [];
const must = (holds, fault) => holds || faults.push(fault);

const parse = (text) => {
  const numbers = text.match(/[\d.]+/g).map(Number);
  if (text.startsWith("color(srgb")) return { rgb: numbers.slice(0, 3).map((part) => part * 255), alpha: numbers[3] ?? 1 };
  return { rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1 };
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
    if (alpha === 1) return rgb;
    must(alpha === 0, `half a background behind ${element.outerHTML}`);
  }
  return [255, 255, 255];
};
const colour = (element, property) => parse(getComputedStyle(element)[property]).rgb;

// Words can be read, and fields can be seen (WCAG 2.2, 1.4.3 and 1.4.11).
for (const element of document.body.querySelectorAll("*")) {
  const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  if (!says || !element.checkVisibility()) continue;
  const found = contrast(colour(element, "color"), behind(element));
  must(found >= 4.5, `a contrast of ${found.toFixed(2)} in ${element.outerHTML}`);
}
const fields = [...document.querySelectorAll("input:not([type=hidden])")];
for (const field of fields) {
  const found = contrast(colour(field, "borderTopColor"), behind(field.parentElement));
  must(found >= 3, `a border with a contrast of ${found.toFixed(2)} around ${field.name}`);
  must(field.labels.length === 1 && field.labels[0].innerText.trim(), `${field.name} has no label`);
  must(field.autocomplete, `${field.name} says nothing to password managers`);
  for (const id of (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean)) {
    must(document.getElementById(id)?.innerText.trim(), `${field.name} is described by ${id}, which says nothing`);
  }
  must(field.getBoundingClientRect().height >= 44, `${field.name} is hard to touch`);
}
for (const button of document.querySelectorAll("button")) {
  must(button.innerText.trim() && button.getBoundingClientRect().height >= 44, `${button.outerHTML} is hard to touch`);
}

// Nothing sticks out.
const { scrollWidth, clientWidth } = document.documentElement;
must(scrollWidth <= clientWidth, `it is ${scrollWidth} wide in a window of ${clientWidth}`);
for (const element of document.body.querySelectorAll("*")) {
  must(element.getBoundingClientRect().right <= clientWidth, `${element.outerHTML} sticks out`);
}

// The page says what it is, and what is wrong.
must(document.documentElement.lang, "it has no language");
must(document.querySelectorAll("h1").length === 1, "it has not one heading");
must(document.querySelectorAll("main").length === 1, "it has not one main part");
const alert = document.querySelector("[role=alert]");
must(!alert || document.title.startsWith("Error: "), "its title hides that something is wrong");
must(!alert || alert.id === "error", "its error cannot be pointed at");
const faulty = fields.filter((field) => field.getAttribute("aria-invalid") === "true");
must(Boolean(alert) === faulty.length > 0, "its error belongs to no field");
must(faulty.length === 0 || faulty.includes(document.activeElement), "the focus is not on a faulty field");
must(fields.length === 0 || fields.includes(document.activeElement), "the focus is on no field");
if (document.activeElement !== document.body) {
  const style = getComputedStyle(document.activeElement);
  must(style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, "the focus cannot be seen");
  must(contrast(parse(style.outlineColor).rgb, behind(document.activeElement.parentElement)) >= 3, "the focus is pale");
}
for (const id of [...document.querySelectorAll("[id]")].map((element) => element.id)) {
  must(document.querySelectorAll(`[id="${id}"]`).length === 1, `two elements are ${id}`);
}
must([...document.scripts].every((script) => script.src.endsWith("/oauth/passkey.js")), "it has a script");
return faults;
