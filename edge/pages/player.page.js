/*
 * Plays one stream from this edge by HTTP-FLV and starts over by itself after an interruption. liveSync speeds playback
 * up a little while more than `liveSyncMaxLatency` is buffered, so that the delay stays small.
 */
const RETRY_MS = 1000;
const FIGURES_MS = 500;
/* Buffered this much at the start (a long group of pictures), the player seeks to the live edge once. */
const SEEK_ABOVE_S = 1.5;

const video = document.querySelector("video");
const note = document.querySelector("#note");
const figures = document.querySelector("#figures");
const url = new URL(`${location.pathname.replace(/\/$/, "")}.flv`, location.href).href;
let player;
let retry;

function say(text) {
  note.textContent = text;
  note.hidden = text === "";
}

function stop() {
  player?.destroy();
  player = undefined;
}

function again(why) {
  say(why);
  clearTimeout(retry);
  retry = setTimeout(start, RETRY_MS);
}

function start() {
  stop();
  player = mpegts.createPlayer(
    { type: "flv", isLive: true, url },
    {
      enableStashBuffer: false,
      lazyLoad: false,
      liveSync: true,
      liveSyncTargetLatency: 0.15,
      liveSyncMaxLatency: 0.4,
      liveSyncPlaybackRate: 1.2,
      autoCleanupSourceBuffer: true,
    },
  );
  player.on(mpegts.Events.ERROR, (_type, detail, info) => {
    const gone = info?.code === 404;
    again(
      gone ? "This stream is not live. Waiting for it." : `Interrupted (${detail}). Trying again.`,
    );
  });
  player.on(mpegts.Events.LOADING_COMPLETE, () => again("The stream ended. Waiting for it."));
  player.attachMediaElement(video);
  player.load();
  player.play()?.catch(() => say("Press play."));
}

video.addEventListener("playing", () => say(""));
video.addEventListener(
  "canplay",
  () => {
    const end = video.buffered.length > 0 ? video.buffered.end(video.buffered.length - 1) : 0;
    if (end - video.currentTime > SEEK_ABOVE_S) video.currentTime = end - 0.2;
  },
  { once: true },
);

setInterval(() => {
  if (video.buffered.length === 0) return;
  const ahead = video.buffered.end(video.buffered.length - 1) - video.currentTime;
  const quality = video.getVideoPlaybackQuality();
  figures.textContent =
    `${video.videoWidth}×${video.videoHeight} · ${Math.max(0, ahead * 1000).toFixed(0)} ms buffered` +
    ` · ${quality.totalVideoFrames} frames, ${quality.droppedVideoFrames} dropped`;
}, FIGURES_MS);

document.querySelector("#sound").addEventListener("click", () => {
  video.muted = !video.muted;
});

if (mpegts.isSupported()) start();
else say("This browser cannot play live FLV. Open the address with .flv at its end in VLC or mpv.");
