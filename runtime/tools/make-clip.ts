/**
 * Makes the clip that the demo plays: ffmpeg's test picture and tone with a running clock burnt in, H.264 and AAC
 * in FLV, fit to be played in a loop (20 s, key frames 2 s apart, picture and sound equally long). Needs ffmpeg; the
 * result is committed, so only someone who changes it needs to run `npm run clip`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const OUT = join(import.meta.dir, "../media/assets/demo.flv");
const BYTES_MAX = 1_500_000;
const FRAMES_PER_SECOND = 25;
/** 512 pictures, as long as 960 AAC frames of 1,024 samples at 48 kHz, so that the loop has no gap. */
const SECONDS = 20.48;
/** One AAC frame less than that: the encoder puts one before the first sample. */
const SOUND_SECONDS = 20.458;

/* Where Debian, Fedora and macOS keep a plain fixed-width font; without one the test picture's own counter must do. */
const FONTS = [
  "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
  "/usr/share/fonts/dejavu-sans-mono-fonts/DejaVuSansMono.ttf",
  "/System/Library/Fonts/Menlo.ttc",
];

function clockFilter(): string {
  const font = FONTS.find((path) => existsSync(path));
  if (!font) return "null";
  const text = "text='%{pts\\:hms}':x=(w-tw)/2:y=h-2*th:fontsize=40:fontcolor=white";
  return `drawtext=fontfile=${font}:${text}:box=1:boxcolor=black@0.7:boxborderw=8`;
}

function ffmpegArguments(out: string): string[] {
  const picture = `testsrc2=size=640x360:rate=${FRAMES_PER_SECOND},${clockFilter()},format=yuv420p`;
  /* A beep each second on a quiet hum: what the ear needs to judge sync and gaps. */
  const tone = `sine=frequency=220:beep_factor=4:sample_rate=48000:duration=${SOUND_SECONDS}`;
  const sound = `${tone},volume=0.5,aformat=channel_layouts=stereo`;
  const gop = 2 * FRAMES_PER_SECOND;
  const video = "-c:v libx264 -profile:v main -preset slow -tune zerolatency -threads 1";
  const groups = `-g ${gop} -keyint_min ${gop} -sc_threshold 0`;
  const rate = "-b:v 420k -maxrate 420k -bufsize 420k -c:a aac -b:a 64k";
  const output = "-flags +bitexact -fflags +bitexact -flvflags no_duration_filesize -f flv";
  return [
    ..."-hide_banner -loglevel error -y -f lavfi -i".split(" "),
    picture,
    ..."-f lavfi -i".split(" "),
    sound,
    ...`-t ${SECONDS} ${video} ${groups} ${rate} ${output}`.split(" "),
    out,
  ];
}

function makeClip(): number {
  mkdirSync(dirname(OUT), { recursive: true });
  const run = spawnSync("ffmpeg", ffmpegArguments(OUT), { encoding: "utf8" });
  if (run.error) {
    console.error(
      "ffmpeg cannot be run: install it (Debian: apt-get install ffmpeg) and try again",
    );
    return 1;
  }
  if (run.status !== 0) {
    console.error(`ffmpeg failed:\n${run.stderr.trim()}`);
    return 1;
  }
  const { size } = statSync(OUT);
  if (size > BYTES_MAX) {
    console.error(`${OUT} has ${size} bytes, over ${BYTES_MAX}`);
    return 1;
  }
  console.log(`${OUT}: ${size} bytes, ${SECONDS} s`);
  return 0;
}

process.exitCode = makeClip();
