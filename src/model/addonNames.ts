/** The add-ons that come with tsdeploy. */
export const addonNames = ["coredns", "dashboard", "metrics-server"] as const;

export type AddonName = (typeof addonNames)[number];
