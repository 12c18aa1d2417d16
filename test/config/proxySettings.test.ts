import { describe, expect, it } from "vitest";
import { bypassesProxy, proxySettings } from "../../src/config/proxySettings.js";

describe("proxies of the environment", () => {
  it("are read in either case; the lower one wins", () => {
    expect(proxySettings({ HTTP_PROXY: "a", http_proxy: "b", HTTPS_PROXY: "c", no_proxy: "d" })).toEqual({
      httpProxy: "b",
      httpsProxy: "c",
      noProxy: "d",
    });
    expect(proxySettings({})).toEqual({ httpProxy: "", httpsProxy: "", noProxy: "" });
  });
});

describe("NO_PROXY", () => {
  it.each([
    ["lab", "lab", true],
    ["lab", "slab", false],
    ["example.com", "registry.example.com", true],
    ["example.com", "EXAMPLE.com.", true],
    ["example.com", "notexample.com", false],
    [".example.com", "registry.example.com", true],
    [".example.com", "example.com", false],
    ["*.example.com", "registry.example.com", true],
    ["one, two\ttwo.lan", "two.lan", true],
    ["10.0.0.0/8", "10.1.2.3", true],
    ["10.0.0.0/8", "11.1.2.3", false],
    ["10.0.0.0/8", "ten.lan", false],
    ["fd00::/8", "10.1.2.3", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["lab:5000", "lab", true],
    ["lab:5001", "lab", false],
    ["[fd00::1]:5000", "fd00::1", true],
    ["*", "dl.k8s.io", true],
    ["", "dl.k8s.io", false],
    ["", "localhost", true],
    ["", "127.0.0.9", true],
    ["", "::1", true],
  ])("%j, asked about %s: %j", (noProxy, host, bypasses) => {
    expect(bypassesProxy(noProxy, host, 5000)).toBe(bypasses);
  });
});
