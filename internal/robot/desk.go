package robot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/run"
)

// Agents finds saved agents; agent.Book is one.
type Agents interface {
	// Find returns the agent with this id or name, or a not_found problem.
	Find(ctx context.Context, project, id string) (agent.Agent, error)
}

// Runs lists runs; a store has this method.
type Runs interface {
	Runs(ctx context.Context, q run.RunQuery) ([]run.Summary, error)
}

// Log has the runs' events; a store has this method.
type Log interface {
	// Load returns the run's events after the given seq, in order; limit 0 = all.
	Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error)
}

// Desk makes runs of robots: it holds a robot and an order against what there is
// now. All fields but Mail must be set.
type Desk struct {
	Rows    Rows // what earlier executions left behind
	Runs    Runs // what was spent
	Log     Log  // runs that an execution has handed work to
	Agents  Agents
	Catalog agent.Catalog
	// CheckURL reports what is wrong with a URL that is to be told something.
	CheckURL func(text string) error
	Mail     bool // this server sends mail
	Now      func() time.Time
}

// Start is what one execution is made of beside its robot.
type Start struct {
	Project     string
	Key         string   // id of the API key
	Scopes      []string // what it was granted
	Goals       string   // empty for a clock's
	Context     json.RawMessage
	Order       Order
	Previous    *run.ID // the execution that this one retries
	Fingerprint string
}

// executionSteps is how many model turns an execution may take: ten tasks of ten
// turns each, and some to spare. Its working time and its cost are bounded, too.
const executionSteps = 120

// defaultDuration is how long an execution may work: the API document's.
const defaultDuration = 30 * time.Minute

// Execution is the spec of the run that executes the order. Errors are problems:
// invalid_request when the robot may not be started (now, or by this trigger),
// conflict when what it uses is not there any more or its money is spent.
func (d *Desk) Execution(ctx context.Context, r *Robot, s Start) (run.Spec, error) {
	if err := r.Startable(s.Order.Trigger, s.Order.Action); err != nil {
		return run.Spec{}, err
	}
	left, err := d.left(ctx, s.Project, r)
	if err != nil {
		return run.Spec{}, err
	}
	kit, err := d.kit(ctx, r, &s)
	if err != nil {
		return run.Spec{}, err
	}
	lessons, err := d.lessons(ctx, s.Project, r)
	if err != nil {
		return run.Spec{}, err
	}
	spec, err := r.execution(&s, kit, lessons)
	if err != nil {
		return spec, err
	}
	spec.Limits.MaxCost = left
	spec.Window = d.Catalog.Models.Window(spec.Model)
	return spec, nil
}

// Startable says why a robot may not be started, or nothing.
func (r *Robot) Startable(trigger, action string) error {
	switch {
	case r.Status != Active:
		return problem.New(problem.InvalidRequest, "Robot %s is %s: set its status to active first.", r.ID, r.Status)
	case r.RobotStatus == Paused || r.RobotStatus == Maintenance:
		return problem.New(problem.InvalidRequest, "Robot %s is in the state %s: set its robot_status to idle first.", r.ID, r.RobotStatus)
	case !r.Enabled(trigger, action) && action != "":
		return problem.New(problem.InvalidRequest, "Robot %s takes no %q from this trigger: its robot_config.triggers say so.", r.ID, action)
	case !r.Enabled(trigger, ""):
		return problem.New(problem.InvalidRequest, "Robot %s is not started by the trigger %q: its robot_config.triggers say so.", r.ID, trigger)
	}
	return nil
}

// kit is what an execution may use, as it is defined now.
type kit struct {
	tools    []run.Tool // without the pipeline's
	handoffs []run.Handoff
	gates    []string
	approval run.Approval      // of the agents whose tools it has
	phases   map[string]string // phase -> what its agent is instructed to do
	inspired bool              // no goals are given: the robot finds them
}

// execution folds a robot, an order and what it may use into a spec.
func (r *Robot) execution(s *Start, k kit, lessons []string) (run.Spec, error) {
	echo, err := json.Marshal(s.Order)
	if err != nil {
		return run.Spec{}, fmt.Errorf("encoding the order of an execution: %w", err)
	}
	mode := first(s.Order.Mode, r.mode())
	if mode != Standard && mode != DryRun {
		return run.Spec{}, problem.Invalid("executor_mode", "%q is not offered: it is standard, or dryrun, which plans and does nothing.", mode)
	}
	k.inspired = s.Order.Trigger != ByHuman && s.Goals == ""
	quota := r.Limits()
	spec := run.Spec{
		Project: s.Project, Dialect: Dialect, Key: s.Key, Scopes: s.Scopes,
		Agent: &run.AgentRef{ID: ExecutionAgent + r.ID, Name: r.ID, Version: int(r.version)},
		Model: r.LanguageModel, Instructions: r.instructions(&s.Order, mode, k, lessons),
		Input: run.Message{Role: run.User, Text: s.Goals}, Context: s.Context,
		Limits:    run.Limits{MaxSteps: executionSteps, WallTime: r.wallTime(s.Order.Trigger)},
		OnUnknown: run.AskUnknown, Echo: echo, Final: DeliverTool, Previous: s.Previous, Fingerprint: s.Fingerprint,
		Lane: &run.Lane{Name: ExecutionAgent + r.ID, Max: quota.Max, Queue: quota.Queue, Priority: quota.Priority},
	}
	if k.inspired {
		spec.Input.Text = r.awakening(&s.Order)
	}
	if len(spec.Context) == 0 {
		spec.Context = s.Order.Data
	}
	spec.Tools = pipelineTools(k.inspired, mode == DryRun)
	if mode == DryRun {
		spec.Final = PlanTool
		return spec, nil
	}
	spec.Tools = append(spec.Tools, k.tools...)
	spec.Handoffs, spec.Gates = k.handoffs, k.gates
	if a := k.approval; len(a.Rules)+len(a.Untrusted) > 0 || a.Separate || a.Quorum > 0 {
		spec.Approval = &a
	}
	if a := r.Config.Approval; a != nil {
		spec.GateTimeout = seconds(a.Timeout, 0)
	}
	return spec, nil
}

func (p *Profile) mode() string {
	if p.Config.Executor != nil && p.Config.Executor.Mode != "" {
		return p.Config.Executor.Mode
	}
	return Standard
}

func (p *Profile) wallTime(trigger string) run.Seconds {
	if c := p.Config.Clock; trigger == ByClock && c != nil && c.Timeout != "" {
		return seconds(c.Timeout, defaultDuration)
	}
	if p.Config.Executor != nil {
		return seconds(p.Config.Executor.MaxDuration, defaultDuration)
	}
	return run.Seconds(defaultDuration / time.Second)
}

// Turn is one turn of a conversation with a robot's host.
type Turn struct {
	Project     string
	Key         string
	Scopes      []string
	ChatID      string
	History     []run.Message // the conversation so far, without system messages
	Input       run.Message   // what the user says now
	Params      run.Params
	Metadata    map[string]string
	Previous    *run.ID
	Fingerprint string
	// Confirm says that this turn may confirm: it is not the first of its
	// conversation. Required says that it must: the caller has said so.
	Confirm, Required bool
}

// ConfirmTool is what a host calls to hand a settled goal over.
const ConfirmTool = "confirm_task"

// hostSteps leaves a host room to mend a call that was refused.
const hostSteps = 3

// Host is the spec of the run that answers one turn. Its confirmation starts an
// execution as Execution would make it.
func (d *Desk) Host(ctx context.Context, r *Robot, t Turn) (run.Spec, error) {
	order := Order{Trigger: ByHuman, ChatID: t.ChatID, Source: "host"}
	work, err := d.Execution(ctx, r, Start{Project: t.Project, Key: t.Key, Scopes: t.Scopes, Order: order})
	if err != nil {
		return run.Spec{}, err
	}
	ways, err := d.hostWays(ctx, t.Project, r)
	if err != nil {
		return run.Spec{}, err
	}
	spec := run.Spec{
		Project: t.Project, Dialect: Dialect, Key: t.Key, Scopes: t.Scopes,
		Agent: &run.AgentRef{ID: HostAgent + r.ID, Name: r.ID, Version: int(r.version)},
		Model: r.LanguageModel, Window: d.Catalog.Models.Window(r.LanguageModel), Instructions: r.hostInstructions(ways, t.Confirm || t.Required),
		History: t.History, Input: t.Input, Params: t.Params, Metadata: t.Metadata, Previous: t.Previous, Fingerprint: t.Fingerprint,
		Limits:    run.Limits{MaxSteps: hostSteps, WallTime: hostTime, MaxCost: work.Limits.MaxCost},
		Handoffs:  []run.Handoff{{Name: "execution", Spec: work, Detached: true, Claim: Claim(t.ChatID)}},
		OnUnknown: run.FailUnknown, RawResults: true, Tethered: true,
	}
	if t.Confirm || t.Required {
		spec.Tools = []run.Tool{spec.Handoffs[0].Tool(ConfirmTool, confirmText)}
	}
	if t.Required {
		spec.Require = ConfirmTool
	}
	return spec, nil
}

// hostWays are the instructions of the agent that the robot names for its host.
func (d *Desk) hostWays(ctx context.Context, project string, r *Robot) (string, error) {
	if r.Config.Resources == nil || r.Config.Resources.Phases["host"] == "" {
		return "", nil
	}
	saved, err := d.Agents.Find(ctx, project, r.Config.Resources.Phases["host"])
	return saved.Instructions, err // that it is there was found when the execution was made
}

// Claim is what goals that a chat confirms are booked under: the same goals in the
// same chat are one execution (run.ClaimID).
func Claim(chat string) string { return "chat/" + chat }

// hostTime bounds one turn: somebody waits for it.
const hostTime = run.Seconds(300)
