package robot

import (
	"encoding/json"
	"slices"
	"time"
)

// Robot is a saved robot. Its JSON form is the stored one; Public is what may be
// shown.
type Robot struct {
	ID        string    `json:"member_id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	UpdatedBy string    `json:"updated_by,omitempty"` // id of the key
	Profile
	// Keyring has the sealed secrets: the robot's own, and those of webhook targets.
	Keyring map[string][]byte `json:"keyring,omitempty"`

	version int64 // of the row that it was read from
}

// Profile is what its owner says of a robot.
type Profile struct {
	DisplayName       string            `json:"display_name"`
	Bio               string            `json:"bio,omitempty"`
	Avatar            string            `json:"avatar,omitempty"`
	SystemPrompt      string            `json:"system_prompt,omitempty"`
	RoleID            string            `json:"role_id,omitempty"`    // a label: permissions are the key's
	ManagerID         string            `json:"manager_id,omitempty"` // "reports to": told to the host
	Status            string            `json:"status"`               // Active, or not to be run
	RobotStatus       string            `json:"robot_status"`         // Paused and Maintenance hold it; Idle does not
	Autonomous        bool              `json:"autonomous_mode"`      // its clock starts it; false = on demand only
	RobotEmail        string            `json:"robot_email,omitempty"`
	AuthorizedSenders []string          `json:"authorized_senders,omitempty"`
	EmailFilterRules  []json.RawMessage `json:"email_filter_rules,omitempty"`
	Config            Config            `json:"robot_config"`
	Agents            []string          `json:"agents"`      // saved agents that tasks may go to, by id or name
	MCPServers        []string          `json:"mcp_servers"` // servers, or families of this server's tools, that it may use
	LanguageModel     string            `json:"language_model"`
	Workspace         string            `json:"workspace,omitempty"`
	CostLimit         float64           `json:"cost_limit,omitempty"` // US dollars a calendar month, UTC; 0 = none
}

// The words of status and robot_status.
const (
	Active      = "active"
	Inactive    = "inactive"
	Pending     = "pending"
	Suspended   = "suspended"
	Idle        = "idle"
	Working     = "working" // found, never stored
	Paused      = "paused"
	Failing     = "error" // found, never stored
	Maintenance = "maintenance"
)

// Config is robot_config.
type Config struct {
	Identity      *Identity       `json:"identity,omitempty"`
	Clock         *Clock          `json:"clock,omitempty"`
	Triggers      *Triggers       `json:"triggers,omitempty"`
	Events        []EventSource   `json:"events,omitempty"`
	Quota         *Quota          `json:"quota,omitempty"`
	Resources     *Resources      `json:"resources,omitempty"`
	Approval      *Approval       `json:"approval,omitempty"`
	Delivery      *Targets        `json:"delivery,omitempty"`
	Learn         *Learn          `json:"learn,omitempty"`
	Executor      *Executor       `json:"executor,omitempty"`
	DefaultLocale string          `json:"default_locale,omitempty"` // "en" when empty
	Integrations  json.RawMessage `json:"integrations,omitempty"`
	KB            json.RawMessage `json:"kb,omitempty"`
	DB            json.RawMessage `json:"db,omitempty"`
}

// Identity is who the robot is, for its instructions.
type Identity struct {
	Role   string   `json:"role"`
	Duties []string `json:"duties,omitempty"`
	Rules  []string `json:"rules,omitempty"`
}

// The modes of a clock.
const (
	Times    = "times"
	Interval = "interval"
	Daemon   = "daemon" // begins again as soon as it has ended
)

// Clock says when the robot starts by itself.
type Clock struct {
	Mode    string   `json:"mode"`
	Times   []string `json:"times,omitempty"`   // "09:00", of mode times
	Days    []string `json:"days,omitempty"`    // "Mon", or "*" = every day, as none
	Every   string   `json:"every,omitempty"`   // "30m", of mode interval
	TZ      string   `json:"tz,omitempty"`      // IANA name; empty = UTC
	Timeout string   `json:"timeout,omitempty"` // working time of what it starts; empty = 30m
}

// Period is Every, or 0 when there is none.
func (c *Clock) Period() time.Duration { return duration(c.Every, 0) }

// Triggers switches the ways in which the robot can be started. One that is not
// named is on.
type Triggers struct {
	Clock     *Switch `json:"clock,omitempty"`
	Intervene *Switch `json:"intervene,omitempty"` // people: conversation, execute, trigger, intervene
	Event     *Switch `json:"event,omitempty"`
}

// Switch is one of them.
type Switch struct {
	Enabled bool     `json:"enabled"`
	Actions []string `json:"actions,omitempty"` // what intervene may be asked for; none = anything
}

// Who or what starts an execution.
const (
	ByClock = "clock"
	ByHuman = "human"
	ByEvent = "event"
)

// Enabled reports whether the robot may be started by this trigger; action is
// what a person asks for, or empty.
func (p *Profile) Enabled(trigger, action string) bool {
	t := p.Config.Triggers
	if t == nil {
		return true
	}
	s := map[string]*Switch{ByClock: t.Clock, ByHuman: t.Intervene, ByEvent: t.Event}[trigger]
	switch {
	case s == nil:
		return true
	case !s.Enabled:
		return false
	}
	return action == "" || len(s.Actions) == 0 || slices.Contains(s.Actions, action)
}

// EventSource is where events that start the robot come from. They are signed with
// the robot's own secret.
type EventSource struct {
	Type   string         `json:"type"`             // webhook
	Source string         `json:"source"`           // the last part of its address
	Filter map[string]any `json:"filter,omitempty"` // what an event's data must say
}

// Quota bounds the robot's executions.
type Quota struct {
	Max      int `json:"max,omitempty"`      // at work at once: 2
	Queue    int `json:"queue,omitempty"`    // that may wait: 10
	Priority int `json:"priority,omitempty"` // 1 to 10, higher first: 5
}

// The quota where the robot names none.
const (
	defaultMax      = 2
	defaultQueue    = 10
	defaultPriority = 5
)

// Limits is the robot's quota with its defaults.
func (p *Profile) Limits() Quota {
	q := Quota{Max: defaultMax, Queue: defaultQueue, Priority: defaultPriority}
	if set := p.Config.Quota; set != nil {
		if set.Max > 0 {
			q.Max = set.Max
		}
		if set.Queue > 0 {
			q.Queue = set.Queue
		}
		if set.Priority > 0 {
			q.Priority = set.Priority
		}
	}
	return q
}

// Resources is what an execution may use.
type Resources struct {
	Phases map[string]string `json:"phases,omitempty"` // phase -> saved agent whose instructions hold in it
	Agents []string          `json:"agents,omitempty"` // as Profile.Agents
	MCP    []MCP             `json:"mcp,omitempty"`    // as Profile.MCPServers, with a choice of tools
	Tools  []string          `json:"tools,omitempty"`  // tools by name: this server's extension
}

// MCP is a server of which only some tools may be used; no tools = all.
type MCP struct {
	ID    string   `json:"id"`
	Tools []string `json:"tools,omitempty"`
}

// Approval says which of the robot's own tools need a person's word: this server's
// extension. The agents that it hands tasks to keep their own gates.
type Approval struct {
	RequiredFor []string `json:"required_for"`      // names, or patterns such as email.*
	Timeout     string   `json:"timeout,omitempty"` // empty = an approval never expires
}

// Targets is who gets what an execution delivers.
type Targets struct {
	Email   *EmailTargets   `json:"email,omitempty"`
	Webhook *WebhookTargets `json:"webhook,omitempty"`
	File    *FileTargets    `json:"file,omitempty"` // this server's extension
	Process json.RawMessage `json:"process,omitempty"`
}

// EmailTargets are mails.
type EmailTargets struct {
	Enabled bool          `json:"enabled"`
	Targets []EmailTarget `json:"targets,omitempty"`
}

// EmailTarget is one mail.
type EmailTarget struct {
	To       []string `json:"to"`
	Template string   `json:"template,omitempty"`
	Subject  string   `json:"subject,omitempty"` // empty = the execution's name
}

// WebhookTargets are calls of other servers.
type WebhookTargets struct {
	Enabled bool            `json:"enabled"`
	Targets []WebhookTarget `json:"targets,omitempty"`
}

// WebhookTarget is one call.
type WebhookTarget struct {
	URL     string            `json:"url"`
	Method  string            `json:"method,omitempty"` // POST
	Headers map[string]string `json:"headers,omitempty"`
	// Secret signs the calls. It is taken and never shown; empty keeps the one that
	// the target has, or the robot's own.
	Secret string `json:"secret,omitempty"`
}

// FileTargets are files among the project's.
type FileTargets struct {
	Enabled bool         `json:"enabled"`
	Targets []FileTarget `json:"targets,omitempty"`
}

// FileTarget is one file.
type FileTarget struct {
	Name string `json:"name,omitempty"` // empty = after the execution's name
}

// What later executions are told of earlier ones.
const (
	LearnExecution = "execution" // what each came to
	LearnFeedback  = "feedback"  // what people said while it worked
	LearnInsight   = "insight"   // what it says itself that is worth knowing
)

// Learn says what is kept for later executions.
type Learn struct {
	On    bool     `json:"on"`
	Types []string `json:"types,omitempty"` // none = all
	Keep  int      `json:"keep,omitempty"`  // days; 0 = 90
}

// The modes of an executor.
const (
	Standard = "standard"
	DryRun   = "dryrun" // plans, and does nothing of it
	Sandbox  = "sandbox"
)

// Executor says how an execution is done.
type Executor struct {
	Mode        string `json:"mode,omitempty"`
	MaxDuration string `json:"max_duration,omitempty"` // working time; empty = 30m
}

// Draft is a new robot, or a change: nil leaves a field as it is.
type Draft struct {
	ID                *string            `json:"member_id"` // of a new one; nil = made
	DisplayName       *string            `json:"display_name"`
	Bio               *string            `json:"bio"`
	Avatar            *string            `json:"avatar"`
	SystemPrompt      *string            `json:"system_prompt"`
	RoleID            *string            `json:"role_id"`
	ManagerID         *string            `json:"manager_id"`
	Status            *string            `json:"status"`
	RobotStatus       *string            `json:"robot_status"`
	Autonomous        *bool              `json:"autonomous_mode"`
	RobotEmail        *string            `json:"robot_email"`
	AuthorizedSenders *[]string          `json:"authorized_senders"`
	EmailFilterRules  *[]json.RawMessage `json:"email_filter_rules"`
	Config            *Config            `json:"robot_config"`
	Agents            *[]string          `json:"agents"`
	MCPServers        *[]string          `json:"mcp_servers"`
	LanguageModel     *string            `json:"language_model"`
	Workspace         *string            `json:"workspace"`
	CostLimit         *float64           `json:"cost_limit"`
}

// Apply returns the profile with the draft on it. robot_config is replaced whole.
func (d *Draft) Apply(p Profile) Profile {
	set(&p.DisplayName, d.DisplayName)
	set(&p.Bio, d.Bio)
	set(&p.Avatar, d.Avatar)
	set(&p.SystemPrompt, d.SystemPrompt)
	set(&p.RoleID, d.RoleID)
	set(&p.ManagerID, d.ManagerID)
	set(&p.Status, d.Status)
	set(&p.RobotStatus, d.RobotStatus)
	set(&p.Autonomous, d.Autonomous)
	set(&p.RobotEmail, d.RobotEmail)
	set(&p.AuthorizedSenders, d.AuthorizedSenders)
	set(&p.EmailFilterRules, d.EmailFilterRules)
	set(&p.Config, d.Config)
	set(&p.Agents, d.Agents)
	set(&p.MCPServers, d.MCPServers)
	set(&p.LanguageModel, d.LanguageModel)
	set(&p.Workspace, d.Workspace)
	set(&p.CostLimit, d.CostLimit)
	return p.withDefaults()
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// withDefaults fills in what is stored even if nobody says it. What the server
// finds by itself is no hold: whoever writes back what was read changes nothing.
func (p Profile) withDefaults() Profile {
	if p.Status == "" {
		p.Status = Active
	}
	if p.RobotStatus == "" || p.RobotStatus == Working || p.RobotStatus == Failing {
		p.RobotStatus = Idle
	}
	if p.LanguageModel == "" {
		p.LanguageModel = "default"
	}
	if p.Agents == nil {
		p.Agents = []string{}
	}
	if p.MCPServers == nil {
		p.MCPServers = []string{}
	}
	return p
}

// Public is the robot without its secrets, sealed or not.
func (r Robot) Public() Robot {
	r.Keyring = nil
	return r
}

// duration reads a period such as 30m, which Check has accepted.
func duration(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return otherwise
}
