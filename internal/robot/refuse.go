package robot

import (
	"bytes"
	"encoding/json"

	"errand/internal/agent"
)

// refuse names the fields that the API document has and this server cannot
// honour. Empty values say nothing, and are taken.
func refuse(p *Profile, faults agent.Faults) {
	c := &p.Config
	if p.Workspace != "" {
		faults.Add("workspace", "is not offered: this server has no workspaces. What an execution makes is kept as files of the project; leave it empty.")
	}
	if p.RobotEmail != "" {
		faults.Add("robot_email", "is not offered: this server receives no mail. Leave it empty; delivery.email sends mail.")
	}
	if len(p.AuthorizedSenders) > 0 {
		faults.Add("authorized_senders", "is not offered: this server receives no mail. Leave it empty.")
	}
	if len(p.EmailFilterRules) > 0 {
		faults.Add("email_filter_rules", "is not offered: this server receives no mail. Leave it empty.")
	}
	if !empty(c.Integrations) {
		faults.Add("robot_config.integrations", "is not offered: this server talks to no chat platform (telegram, feishu, dingtalk, discord, weixin). Use the API, events or delivery.webhook.")
	}
	if !empty(c.KB) {
		faults.Add("robot_config.kb", "is not offered: give the robot the tools of this server's index under resources.tools instead.")
	}
	if !empty(c.DB) {
		faults.Add("robot_config.db", "is not offered: give the robot the operator's SQL tools under resources.tools instead.")
	}
	if c.Executor != nil && c.Executor.Mode == Sandbox {
		faults.Add("robot_config.executor.mode", "sandbox is not offered: name standard, or dryrun, which plans and does nothing.")
	}
	if c.Delivery != nil && !empty(c.Delivery.Process) {
		faults.Add("robot_config.delivery.process", "is not offered: this server runs no processes of yours. Use delivery.webhook.")
	}
}

// empty reports whether a value says nothing: null, false, "", [], an object of
// empty values, or one that says of everything that it is not enabled.
func empty(value json.RawMessage) bool {
	value = bytes.TrimSpace(value)
	switch string(value) {
	case "", "null", "false", `""`, "[]", "{}", "0":
		return true
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return false
	}
	if enabled, said := members["enabled"]; said {
		return empty(enabled)
	}
	for _, member := range members {
		if !empty(member) {
			return false
		}
	}
	return true
}
