/** Files embedded as text (`with { type: "text" }`). */
declare module "*.page.js" {
  const text: string;
  export default text;
}
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "mpegts.js/dist/mpegts.js" {
  const text: string;
  export default text;
}
