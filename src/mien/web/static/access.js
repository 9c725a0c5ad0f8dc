// Nobody is asked for a token here: there is no service.

/** Whether an error says that a token is missing. */
export const lacksToken = () => false;

/** Never called, since no error lacks a token. */
export const askForToken = () => {};
