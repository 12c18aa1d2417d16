/** How many times slower than test machines the machines may be: `TSDEPLOY_E2E_PATIENCE`, for emulated processors. */
export const patience = Number(process.env["TSDEPLOY_E2E_PATIENCE"] ?? 1);
