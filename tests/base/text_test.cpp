#include "base/text.hpp"

#include <random>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

/// Bytes that look like text often enough to reach the interesting branches.
std::string hostile_text(std::mt19937& random) {
    static const std::string pieces[] = {
        "a",
        "Z",
        " ",
        "\n",
        "\t",
        "\r",
        "\x1b",
        "\x1b[",
        "\x1b]0;",
        "\x07",
        "\x1b\\",
        "\x1b[31m",
        "\xc2",
        "\xc2\x9b",
        "\xe2\x80",
        "\xe2\x80\xae",
        "\xf0\x9f\x98\x80",
        "\xf0\x9f",
        "\xff",
        "\xc0\xaf",
        "\xed\xa0\x80",
        "\xf3\xa0\x81\x81",
        "\xef\xbb\xbf",
        "\xc3\xa9",
        std::string(1, '\0'),
        ";",
        "0",
        "P",
        "m",
        "\x7f"};
    std::string text;
    const auto length = random() % 24;
    for (unsigned long i = 0; i < length; ++i) {
        text += pieces[random() % std::size(pieces)];
    }
    return text;
}

} // namespace

TEST_CASE("UTF-8 is what the Unicode Standard says it is", "[base]") {
    for (const char* good :
         {"",
          "abc",
          "\xc3\xa9",
          "\xe2\x82\xac",
          "\xf0\x9f\x98\x80",
          "\xf4\x8f\xbf\xbf",
          "\xef\xbf\xbf"}) {
        CHECK(is_utf8(good));
    }
    for (const char* bad :
         {"\x80",
          "\xc3",
          "\xc0\xaf",
          "\xc1\xbf",
          "\xe0\x80\xaf",
          "\xed\xa0\x80",
          "\xf0\x80\x80\xaf",
          "\xf4\x90\x80\x80",
          "\xf5\x80\x80\x80",
          "\xe2\x82",
          "a\xff"}) {
        CHECK_FALSE(is_utf8(bad));
    }
}

TEST_CASE("characters are counted, bad bytes one each", "[base]") {
    CHECK(count_characters("") == 0);
    CHECK(count_characters("a\xc3\xa9\xf0\x9f\x98\x80") == 3);
    CHECK(
        count_characters("\xff\xfe"
                         "a") == 3
    );
    CHECK(count_characters("\xe2\x82") == 2);
}

TEST_CASE("terminal sequences disappear whole", "[base]") {
    CHECK(sanitize("\x1b[31mred\x1b[0m") == "red");
    CHECK(sanitize("\x1b]0;title\x07text") == "text");
    CHECK(sanitize("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\") == "link");
    CHECK(
        sanitize("a\xc2\x9b"
                 "2Jb") == "ab"
    );
    CHECK(
        sanitize("a\xc2\x9d"
                 "52;c;ZXZpbA==\xc2\x9c"
                 "b") == "ab"
    );
    CHECK(sanitize("a\x1bPq#0\x1b\\b") == "ab");
    CHECK(sanitize("a\x1b(Bb") == "ab");
    CHECK(
        sanitize("a\x1b"
                 "cb") == "ab"
    );
    CHECK(sanitize("a\x1b") == "a");
}

TEST_CASE("an opener without an end cannot swallow what follows", "[base]") {
    CHECK(sanitize("\x1b]0;DROP TABLE accounts") == "0;DROP TABLE accounts");
    CHECK(sanitize("\x1b[31") == "31");
    CHECK(sanitize("\x1b]0;x\nvisible\x07") == "0;x visible");
}

TEST_CASE("what deceives the eye is removed", "[base]") {
    CHECK(
        sanitize("ab\xe2\x80\xae"
                 "cd\xe2\x81\xa6"
                 "ef") == "abcdef"
    ); // bidi
    CHECK(
        sanitize("a\xe2\x80\x8b"
                 "b\xe2\x80\x8d"
                 "c\xef\xbb\xbf") == "abc"
    );                                                             // zero width
    CHECK(sanitize("hi\xf3\xa0\x81\x81\xf3\xa0\x81\x82") == "hi"); // tags
    CHECK(sanitize("a\xef\xb8\x8f\xf3\xa0\x84\x80") == "a");       // variation selectors
    CHECK(
        sanitize("a\xc2\xad"
                 "b\xe1\xa0\x8e"
                 "c\xe3\x85\xa4") == "abc"
    ); // hyphen, fillers
    CHECK(
        sanitize(std::string(
            "a\0b\x01\x7f\xc2\x85"
            "c",
            8
        )) == "abc"
    ); // controls
    CHECK(
        sanitize("a\xe2\x80\xa8"
                 "b") == "a b"
    ); // line separator
    CHECK(sanitize("a\xff\xc3") == "a\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("newlines and tabs become spaces, or stay when asked for", "[base]") {
    CHECK(sanitize("a\r\nb\tc") == "a b c");
    CHECK(sanitize("a\r\nb\tc", true) == "a\nb\tc");
}

TEST_CASE("honest text of any language stays as it is", "[base]") {
    for (const char* text :
         {"SELECT 1",
          "\xc3\xa9t\xc3\xa9",
          "\xe6\x97\xa5\xe6\x9c\xac",
          "\xd7\xa2\xd7\x91",
          "\xf0\x9f\x98\x80"}) {
        CHECK(sanitize(text) == text);
    }
}

TEST_CASE("what sanitize returns is valid UTF-8, without controls, and stable", "[base]") {
    std::mt19937 random(20'261'121);
    for (int round = 0; round < 20'000; ++round) {
        const std::string text = hostile_text(random);
        const std::string clean = sanitize(text);
        REQUIRE(is_utf8(clean));
        REQUIRE(sanitize(clean) == clean);
        for (const char letter : clean) {
            REQUIRE((static_cast<unsigned char>(letter) >= 0x20 && letter != 0x7f));
        }
        REQUIRE(is_utf8(sanitize(text, true)));
    }
}

TEST_CASE("an approver sees every character that is not plain ASCII", "[base]") {
    CHECK(escape_non_ascii("select 1;\n\tok") == "select 1;\n\tok");
    CHECK(escape_non_ascii("p\xd0\xb0y") == "p\\u{430}y");
    CHECK(
        escape_non_ascii("a\xe2\x80\xae"
                         "b\r\x1b\xf0\x9f\x98\x80") == "a\\u{202e}b\\u{d}\\u{1b}\\u{1f600}"
    );
    CHECK(escape_non_ascii("\xff\xc3") == "\\x{ff}\\x{c3}");
    std::mt19937 random(7);
    for (int round = 0; round < 5'000; ++round) {
        for (const char letter : escape_non_ascii(hostile_text(random))) {
            const bool plain =
                letter == '\n' || letter == '\t' || (letter >= 0x20 && letter < 0x7f);
            REQUIRE(plain);
        }
    }
}

TEST_CASE("a cut keeps head and tail, tells how much is missing, and fits", "[base]") {
    CHECK(cut_middle("short", 5) == "short");
    const std::string cut = cut_middle(std::string(500, 'a') + std::string(500, 'z'), 100);
    CHECK(count_characters(cut) == 100);
    CHECK(cut.starts_with("aaa"));
    CHECK(cut.ends_with("zzz"));
    CHECK(cut.find("[... 933 characters left out ...]") != std::string::npos);
    CHECK(cut_middle("abcdefgh", 3) == "abc");
    CHECK(cut_middle("abc", 0).empty());
}

TEST_CASE("a cut of any length stays valid and within its limit", "[base]") {
    std::string text;
    for (int i = 0; i < 60; ++i) {
        text += "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    }
    const std::size_t total = count_characters(text);
    for (std::size_t limit = 0; limit <= total + 1; ++limit) {
        const std::string cut = cut_middle(text, limit);
        REQUIRE(is_utf8(cut));
        REQUIRE(count_characters(cut) <= limit);
        REQUIRE(count_characters(cut) == std::min(limit, total));
        const auto number = cut.find("[... ");
        if (number != std::string::npos) {
            REQUIRE(
                std::stoul(cut.substr(number + 5)) ==
                total - (limit - (cut.find("...]") + 4 - number))
            );
        }
    }
    for (std::size_t limit = 0; limit <= text.size(); ++limit) {
        const auto cut = cut_bytes(text, limit);
        REQUIRE(is_utf8(cut));
        REQUIRE(cut.size() <= limit);
        REQUIRE(cut.size() + 3 >= limit);
    }
}

TEST_CASE("cutting bytes of text that is not UTF-8 stays within the limit", "[base]") {
    std::mt19937 random(99);
    for (int round = 0; round < 5'000; ++round) {
        const std::string text = hostile_text(random);
        for (std::size_t limit = 0; limit <= text.size() + 1; ++limit) {
            const auto cut = cut_bytes(text, limit);
            REQUIRE(cut.size() <= limit);
            REQUIRE(text.starts_with(cut));
            REQUIRE(count_characters(cut_middle(text, limit)) <= limit);
        }
    }
}

TEST_CASE("HTML text cannot leave its place", "[base]") {
    CHECK(
        escape_html("<a href=\"x\" title='y'>&amp;") ==
        "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;"
    );
}

TEST_CASE("a token is what names of header fields are made of", "[base]") {
    CHECK(is_token("Mcp-Param-A_1!#$%&'*+.^`|~"));
    for (const std::string_view text : {"", "a b", "a:", "a\r", "\xc3\xa4", "(a)", "a\"", "a/b"}) {
        CHECK_FALSE(is_token(text));
    }
    CHECK_FALSE(is_token(std::string_view("a\0b", 3)));
}

TEST_CASE("lower case and trimming touch ASCII only", "[base]") {
    CHECK(lower_ascii("ABC\xc3\x89z") == "abc\xc3\x89z");
    CHECK(trim(" \t a b \r\n") == "a b");
    CHECK(trim(" \n").empty());
    CHECK(trim("").empty());
}

} // namespace interlock::base
