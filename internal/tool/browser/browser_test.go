package browser

import (
	"strings"
	"testing"
)

const shop = `<!doctype html><title>Shop</title><h1>The shop</h1>
<form action="/find"><label for="q">Search</label><input id="q" name="q"><button id="go" data-testid="go">Go</button></form>
<form action="/login" method="post"><input name="user" placeholder="User"><input type="password" name="password" placeholder="Password"><button>Log in</button></form>
<select aria-label="Colour"><option value="r">Red<option value="b">Blue</select>
<table><tr><th>Thing<th>Price</tr><tr><td>Lamp<td>20</tr></table>
<button onclick="document.querySelector('#cart').textContent='1 thing in the cart'">Add to cart</button><p id="cart">The cart is empty</p>`

func TestShop(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": shop})
	u := newUser(t, s, nil)
	text, record := u.do("navigate", args{"url": s.URL + "/"})
	has(t, text, "Page: Shop", "# The shop", `textbox "Search"`, `button "Go"`, "Lamp | 20", "The cart is empty", `combobox "Colour" value="Red"`)
	if record.URL != s.URL+"/" || record.Title != "Shop" || record.Tab != 1 {
		t.Errorf("record %+v", record)
	}
	text, record = u.do("click", args{"index": number(t, text, `button "Add to cart"`)})
	has(t, text, "*1 thing in the cart")
	if strings.Contains(text, "*# The shop") {
		t.Errorf("what is old is marked as new:\n%s", text)
	}
	if record.Element == nil || record.Element.Role != "button" || record.Element.Name != "Add to cart" || record.Element.XPath == "" {
		t.Errorf("element %+v", record.Element)
	}
	has(t, first(u.do("select_dropdown", args{"index": number(t, text, "combobox"), "text": "Blue"})), `value="Blue"`)
	text, _ = u.do("input", args{"index": number(t, text, `"Search"`), "text": `la"mp`})
	has(t, text, `value="la\"mp"`)
	text, _ = u.do("input", args{"index": number(t, text, `"Search"`), "text": "lamp"})
	search := number(t, text, `"Search"`)
	text, _ = u.do("send_keys", args{"keys": "Enter"})
	has(t, text, "# Results for lamp", `link "Lamp, 20 €"`)
	u.fails("click", args{"index": search}, "no element")
	text, _ = u.do("go_back", args{})
	has(t, text, "# The shop")
	u.do("input", args{"index": number(t, text, `"User"`), "text": "ann"})
	text, _ = u.do("input", args{"index": number(t, text, `"Password"`), "text": "secret"})
	if strings.Contains(text, "secret") {
		t.Errorf("the password is shown:\n%s", text)
	}
	has(t, first(u.do("click", args{"index": number(t, text, `"Log in"`)})), "Welcome, ann")
	if text, record := u.do("done", args{"text": "It works"}); text != "It works" || record.Success == nil || !*record.Success {
		t.Errorf("done: %q, %+v", text, record)
	}
}

func first(text string, _ Record) string { return text }
