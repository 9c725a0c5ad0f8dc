// What the page has without a service: its own words, the file it can take besides, what it runs on, and offline use.
// It comes before app.js, which shows the words.

import { theEngine } from "./api.js";
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
  show();
}

async function start() {
  const about = $("about");
  told(about, () => text("loading"));
  const mien = await theEngine();
  const words = () => [text("runsOn", { name: mien.card.name }), ...(mien.threads > 1 ? [text("threads", mien)] : []), text("own")];
  told(about, () => words().join(" · "));
  about.dataset.ready = mien.fidelity;
  if (mien.fidelity === "altered") {
    $("altered").hidden = false;
    told($("altered"), () => text("altered"));
  }
  // After the engine, so that the files are loaded once and then copied.
  if ("serviceWorker" in navigator && isSecureContext) await navigator.serviceWorker.register("sw.js");
}

start().catch((error) => told($("about"), () => (error instanceof TypeError ? text("offline") : text("failed", { reason: error.message }))));
