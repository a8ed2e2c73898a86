package run

import "testing"

// The specification of how a run proceeds. story_test.go has the language.
func TestStories(t *testing.T) {
	for name, text := range stories {
		t.Run(name, func(t *testing.T) { tell(t, text) })
	}
}

var stories = map[string]string{
	"an answer ends the run": `
		-> model/1
		reply Here you are.
		-> end completed answered
		finish
		-> over completed answered`,

	"a tool's result goes to the model": `
		tools read:safe
		reply read{}
		-> tool/act_01
		start act_01
		-> tool/act_01
		ok act_01 three rows
		-> model/2
		reply Three.
		-> end completed answered`,

	"a gated tool waits while an open one runs": `
		tools read:safe send:once
		gate send
		reply send{} read{}
		-> tool/act_02
		start act_02
		ok act_02 rows
		-> wait awaiting_approval
		approve act_01
		-> tool/act_01
		start act_01
		ok act_01 sent
		-> model/2`,

	"open safe and keyed calls run side by side, once calls one after the other": `
		tools read:safe charge:keyed send:once
		reply send{} read{} charge{} send{} read{}
		-> tool/act_01 tool/act_02 tool/act_03 tool/act_05
		start act_01
		start act_02
		-> tool/act_01 tool/act_02 tool/act_03 tool/act_05
		ok act_01 sent
		-> tool/act_02 tool/act_03 tool/act_04 tool/act_05
		start act_04
		-> tool/act_02 tool/act_03 tool/act_04 tool/act_05`,

	"a once call that runs holds back an earlier one": `
		tools send:once
		gate send
		reply send{} send{}
		approve act_02
		start act_02
		approve act_01
		-> tool/act_02
		ok act_02 sent
		-> tool/act_01`,

	"once calls overlap where the agent says so": `
		tools send:once
		parallel
		reply send{} send{}
		-> tool/act_01 tool/act_02`,

	"calls that share something go one after the other, in call order": `
		tools open:safe look:safe press:once read:safe
		share open look press
		reply look{} open{} read{} press{} look{}
		-> tool/act_01 tool/act_03
		start act_01
		start act_03
		-> tool/act_01 tool/act_03
		ok act_03 rows
		-> tool/act_01
		ok act_01 seen
		-> tool/act_02
		start act_02
		ok act_02 page
		-> tool/act_04
		start act_04
		ok act_04 pressed
		-> tool/act_05`,

	"an acting call is not made when an earlier one of what it shares has failed": `
		tools press:once look:safe other:once
		share press look
		reply press{} press{} look{} other{}
		-> tool/act_01
		start act_01
		error act_01 no such button
		-> resolve/act_02=cancelled tool/act_03 tool/act_04
		cut act_02
		start act_03
		ok act_03 the page
		start act_04
		ok act_04 done
		-> model/2`,

	"calls that share something stay in order where once calls overlap": `
		tools press:once look:safe send:once
		share press look
		parallel
		reply press{} look{} send{}
		-> tool/act_01 tool/act_03`,

	"what another driver has begun of calls that share something comes first again": `
		tools open:safe look:safe
		share open look
		reply open{} look{}
		start act_01
		takeover
		-> tool/act_01
		start act_01
		ok act_01 page
		-> tool/act_02`,

	"a call that shares something does not wait for one that is pending, but for one that runs": `
		tools press:once look:safe
		share press look
		gate press
		reply press{} look{}
		-> tool/act_02
		start act_02
		approve act_01
		-> tool/act_02
		ok act_02 page
		-> tool/act_01`,

	"no once call waits for one that is still pending": `
		tools send:once pay:once
		gate pay
		reply pay{} send{}
		-> tool/act_02
		ok act_02 sent
		-> wait awaiting_approval`,

	"a part of the actions is approved": `
		tools send:once
		gate send
		reply send{} send{} send{}
		-> wait awaiting_approval
		approve act_02
		-> tool/act_02
		start act_02
		ok act_02 sent
		-> wait awaiting_approval
		approve act_01 act_03
		-> tool/act_01`,

	"a rejection completes the run without acting": `
		tools send:once
		gate send
		reply send{}
		reject act_01
		-> end completed rejected`,

	"a rejection ends the run only when nothing is pending or open": `
		tools send:once read:safe
		gate send
		reply send{} send{} read{}
		reject act_01
		-> tool/act_03
		start act_03
		ok act_03 rows
		-> wait awaiting_approval
		approve act_02
		-> tool/act_02
		ok act_02 sent
		-> end completed rejected`,

	"after a rejection with on_reject continue the model is told": `
		tools send:once
		gate send
		reply send{}
		reject-on act_01
		-> model/2`,

	"a pattern gates": `
		tools mail.send:once
		gate mail.*
		reply mail.send{}
		-> wait awaiting_approval`,

	"a second decision changes nothing": `
		tools send:once
		gate send
		reply send{}
		approve act_01
		reject act_01
		-> tool/act_01
		start act_01
		approve act_01
		ok act_01 sent
		approve act_01
		-> model/2`,

	"an approval that nobody gives in time counts as a rejection": `
		tools send:once
		gate send
		limit steps=8 gate=30
		reply send{}
		+30s
		lapse act_01
		-> end completed rejected`,

	"a tool that was edited after its approval is pending again": `
		tools send:once
		gate send
		reply send{}
		approve act_01
		-> tool/act_01
		changed act_01
		-> wait awaiting_approval
		approve act_01
		-> tool/act_01`,

	"an invented tool, a misspelt one and bad arguments go back to the model": `
		tools send:once
		reply sned{} {} send{"a"
		-> model/2`,

	"an error of a tool goes to the model": `
		tools send:once
		reply send{}
		start act_01
		error act_01 refused
		-> model/2`,

	"a call that a crash hit is repeated where repeating is safe": `
		tools read:safe charge:keyed
		reply read{} charge{}
		start act_01
		start act_02
		takeover
		-> tool/act_01 tool/act_02
		start act_01
		start act_02
		-> tool/act_01 tool/act_02`,

	"a once call that a crash hit is asked about": `
		tools send:once
		reply send{} send{}
		start act_01
		takeover
		-> resolve/act_01=unknown tool/act_02
		crash act_01
		-> tool/act_02
		start act_02
		ok act_02 sent
		-> wait awaiting_approval`,

	"approving an unknown outcome does it again": `
		tools send:once
		reply send{}
		start act_01
		takeover
		crash act_01
		approve act_01
		-> tool/act_01
		start act_01
		ok act_01 sent
		-> model/2`,

	"rejecting an unknown outcome treats it as done and goes on": `
		tools send:once
		reply send{}
		start act_01
		takeover
		crash act_01
		reject act_01
		-> model/2`,

	"an unknown outcome never lapses": `
		tools send:once
		limit steps=8 gate=30
		reply send{}
		start act_01
		unknown act_01
		+90s
		lapse act_01
		-> wait awaiting_approval`,

	"where nobody can be asked, a crash in a once call ends the run": `
		tools send:once
		fail
		reply send{}
		start act_01
		takeover
		-> resolve/act_01=unknown
		crash act_01
		-> end failed tool_error`,

	"where nobody can be asked, a crash ends the run although a person is still to decide": `
		tools send:once pay:once
		gate pay
		fail
		reply send{} pay{}
		start act_01
		takeover
		crash act_01
		-> end failed tool_error`,

	"where nobody can be asked, a broken connection costs the call only": `
		tools send:once
		fail
		reply send{}
		start act_01
		unknown act_01
		-> model/2`,

	"a crash in a model call makes another attempt": `
		-> model/1
		takeover
		-> model/1`,

	"a failed model call is tried again, and gives up for good": `
		fails
		-> model/1
		fails
		-> model/1
		fails-for-good
		-> end failed model_error`,

	"failures of one step do not count for the next": `
		tools read:safe
		fails
		reply read{}
		ok act_01 rows
		-> model/2`,

	"a message during a model call does not stop it; the loop goes on with it": `
		say And in French.
		reply 0 | Here you are.
		-> model/2
		reply 1 | Voilà.
		-> end completed answered`,

	"a message while a run waits is for the next step": `
		tools send:once
		gate send
		reply send{}
		say Hurry.
		-> wait awaiting_approval
		approve act_01
		ok act_01 sent
		-> model/2`,

	"pause starts nothing; decisions act on resume": `
		tools send:once read:safe
		gate send
		reply send{} read{}
		start act_02
		pause
		-> hold
		approve act_01
		-> hold
		ok act_02 rows
		-> hold
		resume
		-> tool/act_01`,

	"a pause keeps a rejection until resume": `
		tools send:once
		gate send
		reply send{}
		pause
		reject act_01
		-> hold
		resume
		-> end completed rejected`,

	"a crash during a pause books the once call and starts nothing": `
		tools send:once read:safe
		reply send{} read{}
		start act_01
		start act_02
		pause
		takeover
		-> resolve/act_01=unknown
		crash act_01
		-> hold
		resume
		-> tool/act_02`,

	"cancel wins over everything": `
		tools send:once read:safe
		gate send
		reply send{} read{}
		start act_02
		cancel
		-> wait running
		cut act_02
		-> end cancelled cancelled`,

	"cancel ends a waiting run, a paused one, a queued one": `
		queued
		-> wait queued
		pause
		cancel
		-> end cancelled cancelled`,

	"cancel of a once call that was cut asks nobody": `
		tools send:once
		reply send{}
		start act_01
		cancel
		-> wait running
		unknown act_01
		-> end cancelled cancelled`,

	"cancel after a crash books what was open": `
		tools send:once charge:keyed read:safe
		reply send{} charge{} read{}
		start act_01
		start act_02
		start act_03
		cancel
		takeover
		-> resolve/act_01=unknown resolve/act_02=unknown resolve/act_03=cancelled
		crash act_01
		crash act_02
		cut act_03
		-> end cancelled cancelled`,

	"a queued run starts when there is room": `
		queued
		-> wait queued
		begin
		-> model/1`,

	"the step limit ends the run after the last turn's calls": `
		tools read:safe
		limit steps=2
		reply read{}
		ok act_01 rows
		reply read{}
		-> tool/act_02
		ok act_02 rows
		-> end failed step_limit`,

	"an answer in the last step is an answer": `
		limit steps=1
		reply Done.
		-> end completed answered`,

	"the token limit ends the run before the next step": `
		tools read:safe
		limit steps=8 tokens=10
		reply read{}
		-> tool/act_01
		ok act_01 rows
		-> end failed budget_exhausted`,

	"the money limit ends the run before the next step": `
		tools read:safe
		limit steps=8 cost=20
		reply read{}
		ok act_01 rows
		-> model/2
		reply read{}
		ok act_02 rows
		-> end failed budget_exhausted`,

	"the limit of tool calls lets what runs finish": `
		tools read:safe
		limit steps=8 calls=2
		reply read{} read{} read{}
		-> tool/act_01 tool/act_02
		start act_01
		start act_02
		ok act_01 rows
		-> tool/act_02
		ok act_02 rows
		-> end failed budget_exhausted`,

	"the deadline cuts what is under way": `
		tools read:safe
		limit steps=8 time=60
		reply read{}
		start act_01
		+60s
		deadline
		-> wait running
		cut act_01
		-> end failed timeout`,

	"a function tool waits for the caller": `
		tools ask:function read:safe
		reply ask{} read{}
		-> tool/act_02
		ok act_02 rows
		-> wait awaiting_input
		output act_01 blue
		-> model/2`,

	"a gated function tool waits for a person and then for the caller": `
		tools ask:function
		gate ask
		reply ask{}
		-> wait awaiting_approval
		output act_01 too early
		-> wait awaiting_approval
		approve act_01
		-> wait awaiting_input
		output act_01 blue
		-> model/2`,

	"an answer that does not satisfy the schema is mended": `
		schema {"type":"object"}
		reply not JSON
		-> model/2
		reply {"a":1}
		-> end completed answered`,

	"repairs are bounded": `
		schema {"type":"object"}
		repairs 1
		reply not JSON
		reply still not
		-> end failed schema_unsatisfied`,

	"a missing scope fails the run at the step, before anything of it runs": `
		tools read:safe
		scopes runs:write
		reply read{}
		-> end failed scope_denied`,

	"late facts change nothing but the bill": `
		reply Done.
		finish
		reply And another thing.
		cancel
		pause
		takeover
		-> over completed answered`,
}
