import { useState } from "react";
import { createRoot } from "react-dom/client";
import { useExpressions } from "./useExpressions.js";

function App() {
  const [video, setVideo] = useState(null);
  const frame = useExpressions(video);
  const start = async ({ currentTarget }) => {
    const element = currentTarget.parentElement.querySelector("video");
    element.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
    await element.play();
    setVideo(element);
  };
  return (
    <main>
      <button type="button" onClick={start}>Start camera</button>
      <video muted playsInline width="480" />
      <ul aria-live="polite">
        {frame?.faces.map((face) => (
          <li key={face.track}>
            Person {face.track}: {face.emotion} {Math.round(100 * face.probability)} %
          </li>
        ))}
      </ul>
    </main>
  );
}

createRoot(document.getElementById("root")).render(<App />);
