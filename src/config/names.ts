const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = new RegExp(`^${label}(\\.${label})*$`);
const qualifiedName = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** RFC 1123 subdomain, as `IsDNS1123Subdomain` of k8s.io/apimachinery; its labels as DNS limits them. */
export function isSubdomain(text: string): boolean {
  return text.length <= 253 && subdomain.test(text) && text.split(".").every((part) => part.length <= 63);
}

/** `name` or `prefix/name`, as `IsQualifiedName` of k8s.io/apimachinery. */
export function isLabelKey(text: string): boolean {
  const [name = "", prefix, ...rest] = text.split("/").reverse();
  if (rest.length > 0 || (prefix !== undefined && !isSubdomain(prefix))) return false;
  return name.length <= 63 && qualifiedName.test(name);
}

/** As `IsValidLabelValue` of k8s.io/apimachinery. */
export function isLabelValue(text: string): boolean {
  return text === "" || (text.length <= 63 && qualifiedName.test(text));
}
