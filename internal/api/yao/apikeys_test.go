package yao_test

import (
	"fmt"
	"sync"
	"testing"
)

const keysPath = "/v1/setting/api-keys"

// Five keys at most, whoever comes at the same time; a deleted one makes room, and
// those of other kinds are neither counted nor shown.
func TestKeysAtMost(t *testing.T) {
	w := newWorld(t, newHost(nil))
	var group sync.WaitGroup
	var mu sync.Mutex
	counts := map[int]int{}
	for i := range 8 {
		group.Go(func() {
			got := w.do("POST", keysPath, fmt.Sprintf(`{"name":"k%d"}`, i))
			mu.Lock()
			defer mu.Unlock()
			counts[got.Status]++
		})
	}
	group.Wait()
	if counts[201] != 5 || counts[400] != 3 {
		t.Fatalf("%v", counts)
	}
	var list struct {
		Data []struct{ ID, Name, Key, Status string }
	}
	w.want(200, "GET", keysPath, "").into(&list)
	if len(list.Data) != 5 || list.Data[0].Key != "" || list.Data[0].Status != "active" {
		t.Fatalf("%+v", list)
	}
	w.want(200, "DELETE", keysPath+"/"+list.Data[2].ID, "")
	w.want(201, "POST", keysPath, `{"name":"again"}`)
	w.want(400, "POST", keysPath, `{"name":"one more"}`)
	all, err := w.keys.List(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	w.want(404, "DELETE", keysPath+"/"+all[0].ID, "") // the operator's
}

// A key works until it gets another secret; repeating that by its Idempotency-Key
// shows the same secret once more.
func TestKeyRenewed(t *testing.T) {
	w := newWorld(t, newHost(nil))
	var made, renewed, again struct{ ID, Key string }
	w.want(201, "POST", keysPath, `{"name":"CI","expires_at":null}`).into(&made)
	holder := *w
	holder.secret = made.Key
	holder.want(200, "GET", "/v1/agent/robots/my-robot/models", "")
	path := keysPath + "/" + made.ID + "/regenerate"
	w.want(200, "POST", path, "", "Idempotency-Key", "r1").into(&renewed)
	w.want(200, "POST", path, "", "Idempotency-Key", "r1").into(&again)
	if renewed.ID != made.ID || renewed.Key == made.Key || again.Key != renewed.Key {
		t.Errorf("%+v, %+v, %+v", made, renewed, again)
	}
	if got := holder.want(401, "GET", "/v1/agent/robots/my-robot/models", ""); got.Header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("%v", got.Header)
	}
	holder.secret = renewed.Key
	holder.want(200, "GET", "/v1/agent/robots/my-robot/models", "")
	holder.want(403, "GET", keysPath, "") // it can't make keys itself
}
