/**
 * The delay of the last two minutes as a line, one point a second, on a canvas as wide as its
 * place.
 */

const POINTS_MAX = 120;
/** Least height of the scale, ms, so that a steady delay looks steady. */
const SCALE_MS_MIN = 1_000;

export class DelayChart {
  readonly #canvas: HTMLCanvasElement;
  #points: number[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  add(delayMs: number): void {
    this.#points.push(delayMs);
    if (this.#points.length > POINTS_MAX) this.#points.shift();
    this.#draw();
  }

  clear(): void {
    this.#points = [];
    this.#draw();
  }

  #draw(): void {
    const canvas = this.#canvas;
    const ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const paint = canvas.getContext("2d");
    if (!paint) return;
    paint.clearRect(0, 0, width, height);
    const scaleMs = Math.max(SCALE_MS_MIN, ...this.#points) * 1.1;
    const y = (delayMs: number): number => height - (delayMs / scaleMs) * height;
    const style = getComputedStyle(canvas);
    paint.strokeStyle = style.getPropertyValue("--line");
    paint.fillStyle = style.getPropertyValue("--faint");
    paint.font = `${11 * ratio}px system-ui, sans-serif`;
    paint.lineWidth = ratio;
    paint.beginPath();
    paint.moveTo(0, y(SCALE_MS_MIN));
    paint.lineTo(width, y(SCALE_MS_MIN));
    paint.stroke();
    paint.fillText("1 s", 2 * ratio, y(SCALE_MS_MIN) + 12 * ratio);
    paint.strokeStyle = style.getPropertyValue("--push");
    paint.lineWidth = 2 * ratio;
    paint.lineJoin = "round";
    paint.beginPath();
    const first = POINTS_MAX - this.#points.length;
    this.#points.forEach((delayMs, i) => {
      const x = ((first + i) / (POINTS_MAX - 1)) * width;
      if (i === 0) paint.moveTo(x, y(delayMs));
      else paint.lineTo(x, y(delayMs));
    });
    paint.stroke();
  }
}
