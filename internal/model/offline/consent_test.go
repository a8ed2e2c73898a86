package offline

import "testing"

func TestConsents(t *testing.T) {
	c := newConsent()
	for _, yes := range []string{
		"yes", "Yes.", "YES!!!", " ok ", "OK", "Ok, go!", "yes please", "Yes, yes, start now.", "sure, go ahead 🚀", "👍", "👍🏽", "✔️ ok", "y", "LGTM 🎉",
		"let's go", "let’s go", "Sounds good, thanks!", "Perfect, start it please", "yes 😀", "start", "go",
		"ja", "Ja, bitte.", "jawohl", "oui", "Oui, d'accord", "d’accord", "s'il vous plaît, oui", "sí", "si\u0301", "SÍ, adelante", "sim", "Sim, por favor", "sì", "va bene",
		"tak", "Tak, proszę", "ano", "igen", "da", "да", "Да, начинайте!", "так", "ναι", "ΝΑΙ", "evet", "Evet, lütfen", "نعم", "כן", "بله", "हाँ", "ठीक है", "হ্যাঁ", "ஆம்",
		"是", "是的", "好的，开始吧", "好的开始吧", "好的。谢谢", "確認", "はい", "はいお願いします", "ｏｋ", "네", "네, 시작해 주세요", "vâng", "ใช่", "ตกลงครับ", "ya", "Iya, lanjutkan", "ndiyo", "oo, sige", "kyllä", "jah",
	} {
		if !c.given(yes) {
			t.Errorf("%q is no consent", yes)
		}
	}
	for _, no := range []string{
		"", " ", "...", "?", "yes?", "ok？", "¿sí?", "no", "nein", "no thanks", "thanks", "hello", "bitte", "谢谢", "不是", "是不是", "可以吗", "对不起", "ไม่ใช่",
		"yes, but only three", "yes but only three", "ok and send it", "okay then do the second one", "yes no", "don't start", "not ok", "yesterday", "ja aber nur drei", "oui mais seulement trois",
		"Start the report on Monday", "go to Paris", "👎", "👍👎", "🎉", "maybe", "yes 3", "はい、でも三つだけ", "好的，但是只要三个", "да, но только три", "I do it to",
	} {
		if c.given(no) {
			t.Errorf("%q is a consent", no)
		}
	}
	for text, want := range map[string]string{
		"Yes, but only three": "but only three", "ja; aber nur drei": "aber nur drei", "はい、でも三つだけ": "でも三つだけ",
		"Only three, yes": "Only three, yes", "no, three": "no, three", "Yes, thanks": "Yes, thanks", "": "",
	} {
		if got := c.behind(text); got != want {
			t.Errorf("behind %q: %q, want %q", text, got, want)
		}
	}
}

// TestEveryPhraseOfTheListIsOne: none of them is spelt so that it can't be met.
func TestEveryPhraseOfTheListIsOne(t *testing.T) {
	c := newConsent()
	for phrase, means := range c.words {
		if phrase == "" || c.plain(phrase) != phrase {
			t.Errorf("%q is not as messages are read", phrase)
		}
		if c.given(phrase) != (means == agrees) || !c.empty(phrase) {
			t.Errorf("%q: given %t, empty %t", phrase, c.given(phrase), c.empty(phrase))
		}
	}
	if len(c.words) < 1000 || len(c.against) < 10 {
		t.Errorf("only %d phrases and %d signs were read", len(c.words), len(c.against))
	}
}

func FuzzConsent(f *testing.F) {
	f.Add("Yes, please! 👍")
	f.Add("好的，开始吧")
	c := newConsent()
	f.Fuzz(func(t *testing.T, text string) {
		if c.given(text) && !c.empty(text) {
			t.Errorf("%q is a consent and says more", text)
		}
		if rest := c.behind(text); rest != text && c.given(text) {
			t.Errorf("%q is a consent with %q behind it", text, rest)
		}
	})
}
