import { nameFault, nameKey, normalizeName } from "../lib/message.ts";
import { assertEquals, assertNotEquals } from "./assert.ts";

Deno.test("nameFault() allows letters and digits of any script, and _ - .", () => {
  for (
    const name of [
      "a",
      "al_ice-2.0",
      "Ünal",
      "Ольга",
      "Ελένη",
      "日本語",
      "ひらがなカタカナ漢字",
      "한국어",
      "नेहा",
      "عربي",
      "guest",
      "guestbook1",
      "x".repeat(32),
    ]
  ) assertEquals(nameFault(name), undefined, name);
});

Deno.test("nameFault() says why a name is no good", () => {
  const faults: [string, string][] = [
    ["", "a name has at least one character"],
    ["x".repeat(33), "a name has at most 32 characters"],
    ["a b", "a name has only letters, digits and _ - ."],
    ["a\u200bb", "a name has only letters, digits and _ - ."],
    ["😀", "a name has only letters, digits and _ - ."],
    ["[a]", "a name has only letters, digits and _ - ."],
    ["a\u0301\u0301\u0301\u0301", "a name has only letters, digits and _ - ."],
    ["аlice", "a name does not mix alphabets that look alike"],
    ["αlice", "a name does not mix alphabets that look alike"],
    ["alice\ufe00", "a name has only letters, digits and _ - ."],
    ["a\u034flice", "a name has only letters, digits and _ - ."],
    ["\u1160", "a name has only letters, digits and _ - ."],
    ["you", "that name is reserved"],
    ["yóu", "that name is reserved"],
    ["guest٣", "that name is reserved"],
    ["güest9", "that name is reserved"],
    ["YOU", "that name is reserved"],
    ["guest7", "that name is reserved"],
    ["Guest12", "that name is reserved"],
  ];
  for (const [name, fault] of faults) {
    assertEquals(nameFault(name), fault, name);
  }
});

Deno.test("nameFault() counts characters and not UTF-16 units", () => {
  assertEquals(nameFault("𠮷".repeat(32)), undefined);
  assertEquals(nameFault("𠮷".repeat(33)), "a name has at most 32 characters");
});

Deno.test("normalizeName() makes compatibility forms plain", () => {
  assertEquals(normalizeName("ａｌｉｃｅ"), "alice");
  assertEquals(normalizeName("e\u0301"), "é");
});

Deno.test("nameKey() is the same for names that differ in case only", () => {
  for (
    const [a, b] of [["Alice", "aLICE"], ["STRASSE", "straße"], [
      "ΟΔΟΣ",
      "οδοσ",
    ], ["ÉMILE", "e\u0301mile"]]
  ) {
    assertEquals(nameKey(a!), nameKey(b!));
  }
  assertNotEquals(nameKey("alice"), nameKey("alise"));
});
