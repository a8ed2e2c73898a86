package app

// grammar is the command line. A command is a struct with a Run method; kong
// fills its fields from the flags.
type grammar struct {
	Serve     serveCommand    `cmd:"" help:"Start the server."`
	Run       onceCommand     `cmd:"" help:"Run one task here, without a server."`
	Demo      demoCommand     `cmd:"" help:"See the whole life of a run, offline, in a few seconds."`
	Agents    agentsGroup     `cmd:"" help:"Saved agents of a server."`
	Runs      runsGroup       `cmd:"" help:"Runs of a server."`
	Approvals approvalsGroup  `cmd:"" help:"Actions that wait for a person."`
	Keys      keysGroup       `cmd:"" help:"API keys of a server."`
	Tools     toolsGroup      `cmd:"" help:"Tools that agents can call."`
	Index     indexGroup      `cmd:"" help:"Files and pages that agents can search."`
	Files     filesGroup      `cmd:"" help:"Files for runs, and files that runs have left."`
	Webhooks  webhooksGroup   `cmd:"" help:"Endpoints that hear of runs."`
	Schedules schedulesGroup  `cmd:"" help:"What starts by the clock."`
	Budgets   budgetsGroup    `cmd:"" help:"What runs may use up in a day or a month."`
	Usage     usageCommand    `cmd:"" help:"What runs have used up."`
	Stats     statsCommand    `cmd:"" help:"How many runs were made, when, and what has become of them."`
	Watch     watchCommand    `cmd:"" help:"Follow all runs of a project."`
	LogLevel  logLevelCommand `cmd:"" name:"log-level" help:"Show or change what a server writes to its log."`
	Link      linkCommand     `cmd:"" help:"Print a link that signs a browser in, once."`
	Projects  projectsGroup   `cmd:"" help:"Projects of a server: each owns its agents, runs and keys."`
	Audit     auditGroup      `cmd:"" help:"Who did what on a server."`
	MCP       mcpGroup        `cmd:"" name:"mcp" help:"MCP servers, whose tools agents can call."`
	Models    modelsGroup     `cmd:"" help:"Models that the server knows."`
	Status    statusCommand   `cmd:"" help:"How a server stands."`
	Doctor    doctorCommand   `cmd:"" help:"Check settings, storage and models."`
	Backup    backupCommand   `cmd:"" help:"Copy the data of a server, which may run."`
	Restore   restoreCommand  `cmd:"" help:"Make a data directory of a backup."`
	Migrate   migrateCommand  `cmd:"" help:"Copy a data directory into PostgreSQL, checked; the server is stopped."`
	Version   versionCommand  `cmd:"" help:"Print the version."`
}

// settingFlags are flags of the commands that run agents themselves. Everything
// else is set by environment or file, secrets above all: a command line can be
// read by everyone on the machine.
type settingFlags struct {
	Config   string `help:"Settings file (ERRAND_CONFIG; default errand.yaml if there)." placeholder:"FILE"`
	Data     string `help:"Directory of the database (ERRAND_DATA; default ./errand-data)." placeholder:"DIR"`
	LogLevel string `help:"debug, info, warn or error (ERRAND_LOG_LEVEL)." placeholder:"LEVEL"`
}

func (f *settingFlags) flags() map[string]string {
	return map[string]string{"config": f.Config, "data": f.Data, "log-level": f.LogLevel}
}

type agentsGroup struct {
	List    agentsList    `cmd:"" help:"List agents."`
	Get     agentsGet     `cmd:"" help:"Show an agent."`
	Create  agentsCreate  `cmd:"" help:"Create an agent from a file, or change the one of that name."`
	Restore agentsRestore `cmd:"" help:"Make an earlier version of an agent the current one."`
	Delete  agentsDelete  `cmd:"" help:"Delete an agent; its runs stay."`
}

type runsGroup struct {
	List    runsList    `cmd:"" help:"List runs, newest first."`
	Get     runsGet     `cmd:"" help:"Show a run with its trace."`
	Watch   runsWatch   `cmd:"" help:"Follow a run until it ends."`
	Explain runsExplain `cmd:"" help:"Say why a run is where it is, and what it took."`
	Cancel  runsCancel  `cmd:"" help:"End a run now."`
	Pause   runsPause   `cmd:"" help:"Hold a run: what is under way ends, nothing new starts."`
	Resume  runsResume  `cmd:"" help:"Let a paused run go on."`
	Delete  runsDelete  `cmd:"" help:"Delete a run that has ended or waits."`
}

type approvalsGroup struct {
	List    approvalsList    `cmd:"" help:"List what waits for a person."`
	Approve approvalsApprove `cmd:"" help:"Approve actions of a run."`
	Reject  approvalsReject  `cmd:"" help:"Reject actions of a run."`
	Link    approvalsLink    `cmd:"" help:"Make a link that decides once, for mail or chat."`
}

type keysGroup struct {
	Create keysCreate `cmd:"" help:"Create a key; its secret is shown once."`
	List   keysList   `cmd:"" help:"List keys."`
	Rotate keysRotate `cmd:"" help:"Give a key another secret; the old one may go on working for a while."`
	Revoke keysRevoke `cmd:"" help:"Revoke a key at once."`
}

type projectsGroup struct {
	Add    projectsAdd    `cmd:"" help:"Make a project."`
	List   projectsList   `cmd:"" help:"List projects."`
	Show   projectsShow   `cmd:"" help:"Show one, also how far its removal has come."`
	Keep   projectsKeep   `cmd:"" help:"Say for how long its runs are kept after their end."`
	Export projectsExport `cmd:"" help:"Write all that it has to a file."`
	Erase  projectsErase  `cmd:"" help:"Remove it with all that it has."`
}

type modelsGroup struct {
	List modelsList `cmd:"" default:"withargs" help:"List models, with their price, window and health."`
	Test modelsTest `cmd:"" help:"Make one small, real call of a model, or of one at each endpoint."`
}

type toolsGroup struct {
	List   toolsList   `cmd:"" help:"List tools."`
	Add    toolsAdd    `cmd:"" help:"Register an HTTP tool from a file, or change the one of that name."`
	Remove toolsRemove `cmd:"" help:"Remove a registered tool."`
	Try    toolsTry    `cmd:"" help:"Make one call of a tool."`
}

type versionCommand struct{}

func (versionCommand) Run(p *process) error {
	p.print("errand %s\n", version())
	return nil
}
