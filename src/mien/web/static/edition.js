// What the page has without a service: its own words, the file it can take besides, what it runs on, and offline use.
// It comes before app.js, which shows the words.

import { MODEL_USED, theEngine } from "./api.js";
import { addWords, text } from "./i18n.js";

addWords({
  en: {
    privacy: "Everything happens on this device: no picture, no face and no result leaves it. Once loaded, the page works offline.",
    failed: "That did not work: {reason}",
    modelUsed: "Expressions are now read by {name}.",
    runsOn: "Model {name}",
    threads: "{threads} threads",
    altered: "This browser changes pixels that pages read, as protection against tracking or for colours. Probabilities may be off by some hundredths.",
    lost: "The camera's stream ended. {reason}",
    offline: "The files of this page cannot be loaded. Is its server there?",
    unreadable: "{name} cannot be read: it is damaged, or too large or of a kind that this browser does not know.",
    unreadableVideo: "{name} cannot be read: it is damaged, or of a kind that this browser does not play.",
    notKept: "This browser keeps no copy: the page needs its server every time",
    loading: "Loading the networks …",
    own: "A model of your own (ONNX, by mien export) can be dropped here, too.",
  },
  zh: {
    privacy: "一切都在本设备上完成：图片、人脸和结果都不会离开本设备。加载一次后，页面可离线使用。",
    modelUsed: "现在由 {name} 识别表情。",
    runsOn: "模型 {name}",
    threads: "{threads} 个线程",
    altered: "此浏览器会改动网页读取的像素（防跟踪或色彩管理）。概率可能有百分之几的偏差。",
    lost: "摄像头画面流已结束。{reason}",
    offline: "无法加载本页面的文件。它的服务器还在吗？",
    unreadable: "无法读取 {name}：文件已损坏、过大，或此浏览器不支持该格式。",
    unreadableVideo: "无法读取 {name}：文件已损坏，或此浏览器无法播放该格式。",
    notKept: "此浏览器不保留副本：每次都需要服务器",
    loading: "正在加载网络……",
    own: "也可以把自己的模型（由 mien export 生成的 ONNX）拖到这里。",
  },
  ar: {
    privacy: "يجري كل شيء على هذا الجهاز: لا تغادره صورة ولا وجه ولا نتيجة. وبعد تحميل الصفحة مرة تعمل من دون اتصال.",
    modelUsed: "تُقرأ التعابير الآن بالنموذج {name}.",
    runsOn: "النموذج {name}",
    threads: "عدد الخيوط {threads}",
    altered: "يغيّر هذا المتصفح البكسلات التي تقرؤها الصفحات، حمايةً من التتبّع أو لإدارة الألوان. قد تختلف الاحتمالات ببضعة أجزاء من المئة.",
    lost: "انتهى بث الكاميرا. {reason}",
    offline: "تعذّر تحميل ملفات هذه الصفحة. هل خادمها متاح؟",
    unreadable: "تعذّرت قراءة {name}: إمّا أنه تالف أو كبير جدًّا أو من نوع لا يعرفه هذا المتصفح.",
    unreadableVideo: "تعذّرت قراءة {name}: إمّا أنه تالف أو من نوع لا يشغّله هذا المتصفح.",
    notKept: "لا يحتفظ هذا المتصفح بنسخة: تحتاج الصفحة إلى خادمها كل مرة",
    loading: "يجري تحميل الشبكات…",
    own: "يمكن أيضًا إسقاط نموذج خاص بك هنا (ONNX من mien export).",
  },
});

const $ = (id) => document.getElementById(id);
const LANGUAGE_SHOWN = { attributes: true, attributeFilter: ["lang"] };

$("file").accept += ",.onnx";

/** Tell, in the language that is shown, what a function says. */
function told(element, words) {
  const show = () => (element.textContent = words());
  new MutationObserver(show).observe(document.documentElement, LANGUAGE_SHOWN);
  document.addEventListener(MODEL_USED, show);
  show();
}

async function start() {
  const about = $("about");
  told(about, () => text("loading"));
  const mien = await theEngine();
  const words = [() => text("runsOn", { name: mien.card.name }), () => text("own")];
  if (mien.threads > 1) words.splice(1, 0, () => text("threads", mien));
  const tell = () => told(about, () => words.map((say) => say()).join(" · "));
  tell();
  about.dataset.ready = mien.fidelity;
  if (mien.fidelity === "altered") {
    $("altered").hidden = false;
    told($("altered"), () => text("altered"));
  }
  // After the engine, so that the files are loaded once and then copied.
  if (await isKept()) return;
  words.push(() => text("notKept"));
  tell();
}

/** Whether the browser takes the service worker, which keeps a copy: on http pages, and where readers forbid it, none. */
async function isKept() {
  try {
    await navigator.serviceWorker.register("sw.js");
    return true;
  } catch {
    return false;
  }
}

start().catch((error) => told($("about"), () => (error instanceof TypeError ? text("offline") : text("failed", { reason: error.message }))));
