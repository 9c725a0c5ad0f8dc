// A service may ask for a token: the dialog that takes it.

import { keepToken, TokenNeeded, tokenWasWrong } from "./api.js";

const $ = (id) => document.getElementById(id);

/** Whether an error says that a token is missing. */
export const lacksToken = (error) => error instanceof TokenNeeded;

/** Ask for a token: then `retry` what failed, or tell that it was `refused`. */
export function askForToken(retry, refused) {
  const dialog = $("token-dialog");
  $("token-wrong").hidden = !tokenWasWrong();
  $("token-cancel").onclick = () => dialog.close("");
  dialog.onclose = () => {
    if (!dialog.returnValue) {
      refused();
      return;
    }
    keepToken($("token").value);
    retry();
  };
  $("token").value = dialog.returnValue = "";
  dialog.showModal();
}
