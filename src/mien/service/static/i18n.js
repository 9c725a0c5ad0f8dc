// The words of the page. `text(key)` gives one in the language that was chosen; pages mark theirs with data-text.

import { storage } from "./storage.js";

const WORDS = {
  en: {
    tagline: "Facial expressions in pictures and in front of the camera",
    language: "Language",
    picture: "Picture",
    controls: "Controls",
    choose: "Choose files",
    startCamera: "Start camera",
    stopCamera: "Stop camera",
    pause: "Pause",
    mirror: "Mirror",
    snapshot: "Snapshot",
    invitation: "Drop pictures or a video here, paste, or click to choose.",
    sample: "Try the sample picture",
    progress: "Looking for faces: {done} of {total}",
    reading: "Reading the video: {time} s",
    faces: "{count} faces",
    oneFace: "1 face",
    verdict: "{emotion}, {percent} %",
    ofPictures: "{pictures} pictures, {unread} not read. ",
    allPictures: "{pictures} pictures. ",
    scrub: "Time in the video",
    tokenWrong: "That token is wrong.",
    noToken: "Without a token this server does not answer.",
    noFile: "That was a link or text. Save the picture first, then drop the file.",
    wrongType: "{name} is neither a picture nor a video that can be read. Use JPEG, PNG, WebP, GIF, BMP or AVIF; MP4, WebM or MOV.",
    tooBig: "{name} has {size} MB; at most {most} MB can be sent. Save it smaller.",
    unreadable: "{name} cannot be read. It may be damaged.",
    unreadableVideo: "{name} cannot be read. It may be damaged.",
    oneVideo: "Only {name} is looked at: a video comes alone.",
    tooCostly: "{name} is too large for this server. Save it smaller.",
    busy: "The server is busy. Try again in a moment.",
    offline: "The server does not answer. Is it running?",
    noStream: "The server takes no further camera now. Stop another one, or try again in a moment.",
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
    wholeTimeline: "Over the video",
    privacy:
      "Pictures go to this server only. It looks at them in memory and keeps nothing: no picture, no face, no result.",
    meaning:
      "An expression is not a feeling: who looks angry may be concentrating. Tell people before you point this at them; do not use it on people at work or at school.",
    tokenNeeded: "This server asks for a token.",
    useToken: "Use it",
    cancel: "Cancel",
    live: "Live: {rate} results a second, {delay} ms behind.",
    paused: "Paused.",
    stopped: "Camera stopped.",
    lost: "The connection to the server was lost. {reason}",
    noCamera: "The camera cannot be used: {reason}",
    insecure: "browsers allow it on https pages and on localhost only",
    failed: "That did not work: {reason}",
    emotions: {
      angry: "angry", disgust: "disgust", fear: "fear", happy: "happy", sad: "sad", surprise: "surprise", neutral: "neutral",
      contempt: "contempt",
    },
  },
  zh: {
    tagline: "识别照片和摄像头画面中的面部表情",
    language: "语言",
    picture: "图片",
    controls: "控制",
    choose: "选择文件",
    startCamera: "打开摄像头",
    stopCamera: "关闭摄像头",
    pause: "暂停",
    mirror: "镜像",
    snapshot: "截图",
    invitation: "把图片或视频拖到这里、粘贴，或点击选择。",
    sample: "试试示例图片",
    progress: "正在寻找人脸：{done} / {total}",
    reading: "正在读取视频：{time} 秒",
    faces: "{count} 张人脸",
    oneFace: "1 张人脸",
    verdict: "{emotion}，{percent} %",
    ofPictures: "{pictures} 张图片，{unread} 张无法读取。",
    allPictures: "{pictures} 张图片。",
    scrub: "视频时间",
    tokenWrong: "令牌不正确。",
    noToken: "没有令牌，服务器不会应答。",
    noFile: "这是链接或文字。请先保存图片，再拖入文件。",
    wrongType: "{name} 不是可读取的图片或视频。请使用 JPEG、PNG、WebP、GIF、BMP、AVIF，或 MP4、WebM、MOV。",
    tooBig: "{name} 有 {size} MB，最多可发送 {most} MB。请缩小后再试。",
    unreadable: "无法读取 {name}，文件可能已损坏。",
    unreadableVideo: "无法读取 {name}，文件可能已损坏。",
    oneVideo: "只读取 {name}：视频需单独处理。",
    tooCostly: "{name} 对此服务器来说太大。请缩小后再试。",
    busy: "服务器繁忙，请稍后再试。",
    offline: "服务器没有应答。它在运行吗？",
    noStream: "服务器暂时不接受更多摄像头。请关闭另一个，或稍后再试。",
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
    wholeTimeline: "整段视频",
    privacy: "图片只发送到这台服务器，仅在内存中处理，不保留任何内容：不保留图片、人脸或结果。",
    meaning: "表情不等于情绪：看起来生气的人可能只是在专注。使用前请告知被拍摄者；请勿用于工作场所或学校中的人员。",
    tokenNeeded: "此服务器需要访问令牌。",
    useToken: "使用",
    cancel: "取消",
    live: "实时：每秒 {rate} 个结果，延迟 {delay} 毫秒。",
    paused: "已暂停。",
    stopped: "摄像头已关闭。",
    lost: "与服务器的连接已断开。{reason}",
    noCamera: "无法使用摄像头：{reason}",
    insecure: "浏览器只允许在 https 页面和 localhost 上使用",
    failed: "操作失败：{reason}",
    emotions: {
      angry: "愤怒", disgust: "厌恶", fear: "恐惧", happy: "高兴", sad: "悲伤", surprise: "惊讶", neutral: "平静",
      contempt: "轻蔑",
    },
  },
  ar: {
    tagline: "تعابير الوجه في الصور وأمام الكاميرا",
    language: "اللغة",
    picture: "الصورة",
    controls: "أدوات التحكم",
    choose: "اختيار ملفات",
    startCamera: "تشغيل الكاميرا",
    stopCamera: "إيقاف الكاميرا",
    pause: "إيقاف مؤقت",
    mirror: "عكس الصورة",
    snapshot: "لقطة",
    invitation: "أسقِط صورًا أو فيديو هنا، أو ألصق، أو انقر للاختيار.",
    sample: "جرّب الصورة النموذجية",
    progress: "البحث عن وجوه: {done} من {total}",
    reading: "قراءة الفيديو: {time} ث",
    faces: "عدد الوجوه {count}",
    oneFace: "وجه واحد",
    verdict: "{emotion}، {percent} %",
    ofPictures: "عدد الصور {pictures}، وتعذّرت قراءة {unread}. ",
    allPictures: "عدد الصور {pictures}. ",
    scrub: "الزمن في الفيديو",
    tokenWrong: "الرمز غير صحيح.",
    noToken: "لا يجيب هذا الخادم من دون رمز.",
    noFile: "كان ذلك رابطًا أو نصًّا. احفظ الصورة أولًا ثم أسقِط الملف.",
    wrongType: "{name} ليس صورة ولا فيديو يمكن قراءته. استخدم JPEG أو PNG أو WebP أو GIF أو BMP أو AVIF، أو MP4 أو WebM أو MOV.",
    tooBig: "حجم {name} يبلغ {size} ميغابايت، والحد الأقصى للإرسال {most} ميغابايت. احفظه بحجم أصغر.",
    unreadable: "تعذّرت قراءة {name}. قد يكون تالفًا.",
    unreadableVideo: "تعذّرت قراءة {name}. قد يكون تالفًا.",
    oneVideo: "يُقرأ {name} وحده: فيديو واحد في كل مرة.",
    tooCostly: "{name} كبير جدًّا لهذا الخادم. احفظه بحجم أصغر.",
    busy: "الخادم مشغول. حاول بعد لحظات.",
    offline: "الخادم لا يجيب. هل يعمل؟",
    noStream: "لا يقبل الخادم كاميرا أخرى الآن. أوقف واحدة أو حاول بعد لحظات.",
    pictures: "الصور",
    downloads: "التنزيلات",
    savePicture: "حفظ الصورة",
    saveCsv: "حفظ CSV",
    saveJson: "حفظ JSON",
    people: "الوجوه",
    person: "الشخص {number}",
    face: "الوجه {number}",
    nobodyYet: "تظهر النتائج هنا.",
    nobody: "لم يُعثر على وجه.",
    timeline: "آخر 30 ثانية",
    wholeTimeline: "طوال الفيديو",
    privacy: "تذهب الصور إلى هذا الخادم وحده. يعالجها في الذاكرة ولا يحتفظ بشيء: لا صورة ولا وجه ولا نتيجة.",
    meaning: "التعبير ليس شعورًا: من يبدو غاضبًا قد يكون مركّزًا. أخبر الناس قبل أن توجّه هذا نحوهم، ولا تستخدمه مع الناس في العمل أو المدرسة.",
    tokenNeeded: "يطلب هذا الخادم رمزًا.",
    useToken: "استخدامه",
    cancel: "إلغاء",
    live: "مباشر: {rate} نتيجة في الثانية، بتأخّر {delay} مللي ثانية.",
    paused: "متوقف مؤقتًا.",
    stopped: "أُوقفت الكاميرا.",
    lost: "انقطع الاتصال بالخادم. {reason}",
    noCamera: "تعذّر استخدام الكاميرا: {reason}",
    insecure: "تسمح بها المتصفحات في صفحات https وعلى localhost فقط",
    failed: "لم ينجح ذلك: {reason}",
    emotions: {
      angry: "غاضب", disgust: "مشمئز", fear: "خائف", happy: "سعيد", sad: "حزين", surprise: "متفاجئ", neutral: "محايد",
      contempt: "مزدرٍ",
    },
  },
};

/** Languages that are written from right to left. */
const RIGHT_TO_LEFT = ["ar"];

/** FER2013's seven, the classes of the embedded models. */
export const EMOTIONS = Object.keys(WORDS.en.emotions).slice(0, 7);

/** More words, or others for the same keys, by language. */
export function addWords(words) {
  for (const [name, more] of Object.entries(words)) Object.assign(WORDS[name], more);
}

/** Letters of Hebrew, Arabic and their neighbours. */
const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

let language = "en";
const remembered = storage("localStorage");

/** The words for a key, with values in place of names in braces. */
export function text(key, values = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The name of an expression; a class that is no emotion is called what it is called. */
export function emotionName(emotion) {
  const { emotions } = WORDS[language];
  if (Object.hasOwn(emotions, emotion)) return emotions[emotion]; // a class may be called "constructor"
  // A name in a script of the other direction would take the number beside it along.
  const turned = FROM_RIGHT.test(emotion) !== RIGHT_TO_LEFT.includes(language);
  return turned ? `\u2068${emotion}\u2069` : emotion;
}

/** The language that the reader chose before, or that the browser asks for. */
export function preferredLanguage() {
  const wanted = remembered.getItem("language") ?? navigator.language.slice(0, 2);
  return wanted in WORDS ? wanted : "en";
}

/** Show the whole page in a language. */
export function useLanguage(chosen) {
  language = chosen;
  remembered.setItem("language", chosen);
  document.documentElement.lang = chosen;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(chosen) ? "rtl" : "ltr";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
  }
}
