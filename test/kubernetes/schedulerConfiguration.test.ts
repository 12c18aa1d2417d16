import { describe, expect, test } from "vitest";
import { schedulerCommandArgs, schedulerConfiguration } from "../../src/kubernetes/schedulerConfiguration.js";
import { featuresOf } from "../../src/kubernetes/versions.js";

describe("the scheduler's configuration", () => {
  test.each([
    ["v1.23.17", undefined],
    ["v1.24.17", "kubescheduler.config.k8s.io/v1beta3"],
    ["v1.36.2", "kubescheduler.config.k8s.io/v1"],
  ])("of %s is of %s", (version, apiVersion) => {
    expect(schedulerConfiguration(featuresOf(version), {})?.apiVersion).toBe(apiVersion);
  });

  const extraArgs = { "kube-api-qps": "9", profiling: "false", v: "3" };

  test("has fields for the flags that the file silences", () => {
    const features = featuresOf("v1.36.2");
    expect(schedulerConfiguration(features, extraArgs)).toMatchObject({
      clientConnection: { kubeconfig: "/etc/kubernetes/scheduler.conf", qps: 9 },
      enableProfiling: false,
    });
    expect(schedulerCommandArgs(extraArgs, features)).toEqual({ v: "3" });
  });

  test("has none where there is no file: flags stay flags", () => {
    expect(schedulerCommandArgs(extraArgs, featuresOf("v1.20.2"))).toEqual(extraArgs);
  });

  test("refuses by name what it would silence", () => {
    expect(() => schedulerConfiguration(featuresOf("v1.36.2"), { "pod-max-in-unschedulable-pods-duration": "1m" })).toThrow(
      /EXTRA_ARG_SILENCED.*--pod-max-in-unschedulable-pods-duration/,
    );
  });
});
