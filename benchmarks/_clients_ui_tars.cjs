// Runs the published UI-TARS SDK against our server; started by clients.py.
// Arguments: base URL, screenshot file, SDK mode ("1.0" or "1.5"). The token is in EYEHAND_TOKEN.
const fs = require("fs");
const { GUIAgent } = require("@ui-tars/sdk");
const { Operator, StatusEnum } = require("@ui-tars/sdk/core");

const [baseURL, screenshot, mode] = process.argv.slice(2);
const base64 = fs.readFileSync(screenshot).toString("base64");
const performed = [];
const problems = [];

class Recorder extends Operator {
  static MANUAL = { ACTION_SPACES: ["click(start_box='[x1, y1, x2, y2]')", "finished()"] };

  async screenshot() {
    return { base64, scaleFactor: 1 };
  }

  async execute({ parsedPrediction: { action_type, action_inputs } }) {
    performed.push([action_type, action_inputs.start_coords]);
    return action_type === "finished" ? { status: StatusEnum.END } : {};
  }
}

const agent = new GUIAgent({
  model: { baseURL, apiKey: process.env.EYEHAND_TOKEN, model: "any" },
  operator: new Recorder(),
  uiTarsVersion: mode === "1.5" ? mode : undefined,
  maxLoopCount: 25,
  logger: { log() {}, info() {}, warn() {}, error() {} },
  onError: ({ error }) => problems.push(`${error.message} ${error.stack ?? ""}`),
});

agent.run("press the OK button").then(() => console.log(JSON.stringify({ performed, problems })));
