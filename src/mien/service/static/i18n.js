// The words of the page. `text(key)` gives one in the language that was chosen; pages mark theirs with data-text.

const WORDS = {
  en: {
    tagline: "Facial expressions in pictures and in front of the camera",
    language: "Language",
    picture: "Picture",
    controls: "Controls",
    choose: "Choose pictures",
    startCamera: "Start camera",
    stopCamera: "Stop camera",
    pause: "Pause",
    mirror: "Mirror",
    snapshot: "Snapshot",
    invitation: "Drop a picture here, paste one, choose a file, or start the camera.",
    pictures: "Pictures",
    downloads: "Downloads",
    savePicture: "Save picture",
    saveCsv: "Save CSV",
    saveJson: "Save JSON",
    people: "Faces",
    person: "Person {number}",
    face: "Face {number}",
    nobodyYet: "Results appear here.",
    nobody: "No face found.",
    timeline: "Last 30 seconds",
    privacy:
      "Pictures go to this server only. It looks at them in memory and keeps nothing: no picture, no face, no result.",
    meaning:
      "An expression is not a feeling: who looks angry may be concentrating. Tell people before you point this at them; do not use it on people at work or at school.",
    tokenNeeded: "This server asks for a token.",
    useToken: "Use it",
    cancel: "Cancel",
    working: "Looking for faces…",
    found: "Faces: {faces}. Pictures: {pictures}.",
    live: "Live: {rate} results a second, {delay} ms behind.",
    paused: "Paused.",
    stopped: "Camera stopped.",
    lost: "The connection to the server was lost. {reason}",
    noCamera: "The camera cannot be used: {reason}",
    insecure: "browsers allow it on https pages and on localhost only",
    failed: "That did not work: {reason}",
    emotions: {
      angry: "angry", disgust: "disgust", fear: "fear", happy: "happy", sad: "sad", surprise: "surprise", neutral: "neutral",
    },
  },
  zh: {
    tagline: "识别照片和摄像头画面中的面部表情",
    language: "语言",
    picture: "图片",
    controls: "控制",
    choose: "选择图片",
    startCamera: "打开摄像头",
    stopCamera: "关闭摄像头",
    pause: "暂停",
    mirror: "镜像",
    snapshot: "截图",
    invitation: "把图片拖到这里、粘贴图片、选择文件，或打开摄像头。",
    pictures: "图片列表",
    downloads: "下载",
    savePicture: "保存图片",
    saveCsv: "保存 CSV",
    saveJson: "保存 JSON",
    people: "人脸",
    person: "人物 {number}",
    face: "人脸 {number}",
    nobodyYet: "结果会显示在这里。",
    nobody: "没有找到人脸。",
    timeline: "最近 30 秒",
    privacy: "图片只发送到这台服务器，仅在内存中处理，不保留任何内容：不保留图片、人脸或结果。",
    meaning: "表情不等于情绪：看起来生气的人可能只是在专注。使用前请告知被拍摄者；请勿用于工作场所或学校中的人员。",
    tokenNeeded: "此服务器需要访问令牌。",
    useToken: "使用",
    cancel: "取消",
    working: "正在寻找人脸……",
    found: "人脸：{faces}。图片：{pictures}。",
    live: "实时：每秒 {rate} 个结果，延迟 {delay} 毫秒。",
    paused: "已暂停。",
    stopped: "摄像头已关闭。",
    lost: "与服务器的连接已断开。{reason}",
    noCamera: "无法使用摄像头：{reason}",
    insecure: "浏览器只允许在 https 页面和 localhost 上使用",
    failed: "操作失败：{reason}",
    emotions: {
      angry: "愤怒", disgust: "厌恶", fear: "恐惧", happy: "高兴", sad: "悲伤", surprise: "惊讶", neutral: "平静",
    },
  },
};

export const EMOTIONS = Object.keys(WORDS.en.emotions);

let language = "en";

/** The words for a key, with values in place of names in braces. */
export function text(key, values = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The name of an expression. */
export function emotionName(emotion) {
  return WORDS[language].emotions[emotion];
}

/** The language that the reader chose before, or that the browser asks for. */
export function preferredLanguage() {
  const wanted = localStorage.getItem("language") ?? navigator.language.slice(0, 2);
  return wanted in WORDS ? wanted : "en";
}

/** Show the whole page in a language. */
export function useLanguage(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  document.documentElement.lang = chosen;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
  }
}
