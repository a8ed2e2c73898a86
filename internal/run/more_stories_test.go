package run

import "testing"

// More of the specification: lives in which several things happen at once.
func TestMoreStories(t *testing.T) {
	for name, text := range moreStories {
		t.Run(name, func(t *testing.T) { tell(t, text) })
	}
}

var moreStories = map[string]string{
	"an empty reply is an answer, and an empty one": `
		reply
		-> end completed answered`,

	"an approved call that a crash hit and whose tool was edited is asked about": `
		tools send:keyed
		gate send
		reply send{}
		approve act_01
		start act_01
		takeover
		-> tool/act_01
		changed act_01
		-> wait awaiting_approval
		reject act_01
		-> model/2`,

	"a rejection of a call that never began ends the run, also when its tool was edited": `
		tools send:once
		gate send
		reply send{}
		approve act_01
		changed act_01
		reject act_01
		-> end completed rejected`,

	"nobody is asked about the unknown once the run stops": `
		tools send:once
		gate send
		reply send{} send{}
		approve act_01
		start act_01
		cancel
		unknown act_01
		-> end cancelled cancelled`,

	"cancel while a person is asked about the unknown": `
		tools send:once
		reply send{}
		start act_01
		takeover
		crash act_01
		-> wait awaiting_approval
		cancel
		-> end cancelled cancelled`,

	"a keyed call whose outcome is unknown after all tries is asked about": `
		tools charge:keyed
		reply charge{}
		start act_01
		unknown act_01
		-> wait awaiting_approval
		approve act_01
		-> tool/act_01`,

	"the limit of calls counts a repetition": `
		tools read:safe
		limit steps=8 calls=2
		reply read{} read{}
		start act_01
		takeover
		-> tool/act_01
		start act_01
		ok act_01 rows
		-> end failed budget_exhausted`,

	"the limit of calls ends the run although a person is still to decide": `
		tools read:safe send:once
		gate send
		limit steps=8 calls=1
		reply read{} read{} send{}
		start act_01
		ok act_01 rows
		-> end failed budget_exhausted`,

	"an approval beyond the limit of calls ends the run": `
		tools read:safe send:once
		gate send
		limit steps=8 calls=1
		reply read{} send{}
		start act_01
		ok act_01 rows
		-> wait awaiting_approval
		approve act_02
		-> end failed budget_exhausted`,

	"a rejection and a message: the rejection ends the run": `
		tools send:once
		gate send
		reply send{}
		say Leave it, and tell me why you asked.
		reject act_01
		-> end completed rejected`,

	"a message that comes with a failed answer is heard before it is mended": `
		schema {"type":"object"}
		repairs 0
		say One more thing.
		reply 0 | not JSON
		-> model/2
		reply {"a":1}
		-> end completed answered`,

	"a paused run is not woken by its limits": `
		tools read:safe
		limit steps=8 time=60
		reply read{}
		pause
		+90s
		-> hold
		resume
		-> tool/act_01`,

	"a deadline in a pause ends the run all the same": `
		tools read:safe
		limit steps=8 time=60
		reply read{}
		start act_01
		deadline
		pause
		-> wait running
		cut act_01
		-> end failed timeout`,

	"a queued run that is paused starts on resume": `
		queued
		pause
		-> hold
		resume
		begin
		-> model/1`,

	"a function's output comes in a pause": `
		tools ask:function
		reply ask{}
		pause
		output act_01 blue
		-> hold
		resume
		-> model/2`,

	"an approval lapses beside an unknown outcome, which does not": `
		tools send:once pay:once
		gate pay
		limit steps=8 gate=30
		reply send{} pay{}
		start act_01
		unknown act_01
		+30s
		lapse act_01 act_02
		-> wait awaiting_approval
		reject act_01
		-> end completed rejected`,

	"a scope that is missing for one call stops the others": `
		tools read:safe ask:function
		scopes runs:write
		reply ask{} read{}
		-> end failed scope_denied`,

	"calls on the last step still need their person": `
		tools send:once
		gate send
		limit steps=1
		reply send{}
		-> wait awaiting_approval
		approve act_01
		start act_01
		ok act_01 sent
		-> end failed step_limit`,

	"a rejection on the last step is a rejection": `
		tools send:once
		gate send
		limit steps=1
		reply send{}
		reject act_01
		-> end completed rejected`,
}
