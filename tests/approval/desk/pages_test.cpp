#include "approval/desk/pages.hpp"
#include "base/text.hpp"
#include "tests/approval/fixture.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::desk {

using test::must;

namespace {

approval::StoredPlan sample() {
    static test::Office office;
    static const std::string id = office.approved();
    return must(office.queue.get(id));
}

/// Markup, attributes, comments, entities, schemes, encodings: each would break out somewhere.
const std::vector<std::string>& payloads() {
    static const std::vector<std::string> list{
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "\"><script>alert(1)</script>",
        "' onmouseover='alert(1)",
        "\" onmouseover=\"alert(1)",
        "` onmouseover=`alert(1)",
        "</title><script>alert(1)</script>",
        "</pre><script>alert(1)</script><pre>",
        "</textarea><script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "<!--<script>alert(1)</script>-->",
        "--><script>alert(1)</script>",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?xml version=\"1.0\"?><script/>",
        "<iframe src=javascript:alert(1)>",
        "<a href=\"javascript:alert(1)\">click</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>click</a>",
        "<form action=/plans><button>Approve</button></form>",
        "<input type=submit value=Approve>",
        "<base href=http://evil.example/>",
        "<link rel=stylesheet href=http://evil.example/x.css>",
        "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
        "<object data=x><embed src=x>",
        "<details open ontoggle=alert(1)>",
        "<video><source onerror=alert(1)>",
        "<body onload=alert(1)>",
        "<template><script>alert(1)</script></template>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<x onclick=alert(1)>",
        std::string("<\0script>alert(1)</script>", 26),
        std::string("<scr\0ipt>alert(1)</script>", 26),
        "<\tscript>alert(1)</script>",
        "<script\x0c>alert(1)</script>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&#60;script&#62;",
        "&amp;lt;script&amp;gt;",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "\\u003cscript\\u003e",
        "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
        "\xc0\xbcscript\xc0\xbe",
        "\xff\xfe<script>",
        "\xef\xbc\x9cscript\xef\xbc\x9e",
        "\u202e<script>\u202c",
        "\u200b<\u200bscript>",
        "\x1b]8;;http://evil.example\x07"
        "click\x1b]8;;\x07",
        "\x1b[8mhidden\x1b[0m",
        "a\rb",
        "{{constructor.constructor('alert(1)')()}}",
        "${alert(1)}",
        "<%= 7*7 %>",
        "]]>",
        "<style>*{display:none}</style>",
        "<plaintext>",
        "<xmp><script>alert(1)</script></xmp>",
        "<select><option><script>alert(1)</script>",
        "<p style=position:fixed;top:0>Approved by everybody</p>",
    };
    return list;
}

/// Every element of a page, attributes and all.
std::multiset<std::string> elements(const std::string& html) {
    std::multiset<std::string> found;
    for (auto at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1))
        found.insert(html.substr(at, html.find('>', at) - at + 1));
    return found;
}

struct Field {
    std::string name;
    std::function<void(PlanView&, const std::string&)> set;
};

const std::vector<Field>& fields() {
    static const std::vector<Field> list{
        {"id", [](auto& v, auto& x) { v.stored.id = x; }},
        {"state_reason", [](auto& v, auto& x) { v.stored.state_reason = x; }},
        {"requester",
         [](auto& v, auto& x) {
             v.stored.requester = x;
             v.stored.requesters = {x};
         }},
        {"requester_client", [](auto& v, auto& x) { v.stored.requester_client = x; }},
        {"created_at", [](auto& v, auto& x) { v.stored.created_at = x; }},
        {"expires_at", [](auto& v, auto& x) { v.stored.expires_at = x; }},
        {"title", [](auto& v, auto& x) { v.presentation.title = x; }},
        {"hypothesis", [](auto& v, auto& x) { v.presentation.hypothesis = x; }},
        {"incident", [](auto& v, auto& x) { v.presentation.incident = x; }},
        {"evidence", [](auto& v, auto& x) { v.presentation.evidence = {x}; }},
        {"blast_radius", [](auto& v, auto& x) { v.presentation.blast_radius = {x}; }},
        {"runbook", [](auto& v, auto& x) { v.plan->runbook = x; }},
        {"target", [](auto& v, auto& x) { v.plan->target.target = x; }},
        {"risk", [](auto& v, auto& x) { v.plan->risk = x; }},
        {"rendered", [](auto& v, auto& x) { v.rendered = x; }},
        {"approver", [](auto& v, auto& x) { v.stored.decisions[0].statement.approver = x; }},
        {"reason", [](auto& v, auto& x) { v.stored.decisions[0].statement.reason = x; }},
        {"assurance", [](auto& v, auto& x) { v.stored.decisions[0].assurance = x; }},
        {"fingerprint", [](auto& v, auto& x) { v.stored.decisions[0].key_fingerprint = x; }},
        {"recorded_at", [](auto& v, auto& x) { v.stored.decisions[0].recorded_at = x; }},
    };
    return list;
}

/// The link to a plan holds its id; everything else must stay as it is.
std::string without_links(const std::string& html) {
    const std::string start = "<a href=\"/plans/";
    const auto at = html.find(start);
    const auto end = html.find('"', at + start.size());
    return html.substr(0, at + start.size()) + html.substr(end);
}

} // namespace

TEST_CASE("no payload in any field adds, changes or ends an element of a page") {
    for (const auto& field : fields()) {
        PlanView plain = view_of(sample());
        field.set(plain, "word");
        const auto plan_elements = elements(plan_page(plain));
        const auto queue_elements = elements(without_links(queue_page({plain})));
        for (const auto& payload : payloads()) {
            INFO(field.name << ": " << payload);
            PlanView view = view_of(sample());
            field.set(view, payload);
            const std::string queue = queue_page({view});
            CHECK(elements(without_links(queue)) == queue_elements);
            const std::string page = plan_page(view);
            CHECK(std::all_of(page.begin(), page.end(), [](char c) {
                return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t';
            }));
            CHECK(base::is_utf8(page));
            CHECK(elements(page) == plan_elements);
            CHECK(page.find("\u202e") == std::string::npos);
        }
    }
    for (const auto& payload : payloads()) {
        const base::Error error{base::Errc::io, payload, payload};
        CHECK(elements(error_page(error)) == elements(error_page({base::Errc::io, "a", "b"})));
    }
}

TEST_CASE("no text of a brake becomes markup", "[approval]") {
    BrakeView plain;
    plain.brake.kind = approval::BrakeKind::identity;
    plain.brake.issuer = "plain";
    plain.brake.name = plain.brake.cause = plain.brake.who = plain.brake.reason = "plain";
    plain.transcript = {{"plain", "plain", "plain", "plain"}};
    const auto expected = elements(brakes_page({plain}));
    for (const auto& payload : payloads()) {
        INFO(payload);
        BrakeView view = plain;
        view.brake.issuer = view.brake.name = view.brake.cause = payload;
        view.brake.who = view.brake.reason = payload;
        view.transcript = {{payload, payload, payload, payload}};
        CHECK(elements(brakes_page({view})) == expected);
    }
}

TEST_CASE("the page shows the script from the bytes, and the agent's words in a box that says so") {
    approval::StoredPlan stored = sample();
    runbooks::Presentation words;
    words.title = "Just a VACUUM";
    words.hypothesis = "This only runs VACUUM.";
    stored.presentation = runbooks::presentation_bytes(words);
    const std::string page = plan_page(view_of(stored));
    const auto script = page.find("<pre class=\"script\">");
    const auto script_end = page.find("</pre>", script);
    const auto box = page.find("<section class=\"agent\">");
    const auto box_end = page.find("</section>", box);
    const auto claim = page.find("Just a VACUUM");
    REQUIRE(script != std::string::npos);
    REQUIRE(box != std::string::npos);
    CHECK(page.find("pg_cancel_backend", script) < script_end);
    CHECK(script_end < box);
    CHECK((claim > box && claim < box_end));
    CHECK(page.rfind("VACUUM") < box_end);
    CHECK(page.find("Nobody has checked these words", box) < box_end);
    CHECK(page.find(stored.digest) < script);
}

TEST_CASE("the page tells how to decide only while there is something to decide") {
    PlanView view = view_of(sample());
    CHECK(plan_page(view).find("interlock plans approve " + view.stored.id) != std::string::npos);
    view.stored.state = approval::PlanState::succeeded;
    CHECK(plan_page(view).find("interlock plans approve") == std::string::npos);
    view = view_of(sample());
    view.intact = false;
    CHECK(plan_page(view).find("interlock plans approve") == std::string::npos);
    CHECK(plan_page(view).find("Do not approve this plan") != std::string::npos);
    view.plan.reset();
    CHECK(plan_page(view).find("are not a plan") != std::string::npos);
    CHECK(queue_page({view}).find("unreadable plan") != std::string::npos);
}

TEST_CASE("an empty queue is said to be empty") {
    CHECK(queue_page({}).find("The queue is empty.") != std::string::npos);
    CHECK(queue_page({view_of(sample())}).find("not shown") == std::string::npos);
    CHECK(queue_page({view_of(sample())}, 7).find("7 not shown") != std::string::npos);
}

TEST_CASE("pages hold nothing that runs and nothing from elsewhere") {
    for (const std::string& page :
         {queue_page({view_of(sample())}), plan_page(view_of(sample()))}) {
        for (const char* const word :
             {"<script",
              "<form",
              "<iframe",
              "<img",
              "javascript:",
              "http://",
              "https://",
              "style=",
              "onclick",
              "<button",
              "<input"}) {
            INFO(word);
            CHECK(page.find(word) == std::string::npos);
        }
    }
    CHECK(style_sheet.find("url(") == std::string_view::npos);
    CHECK(style_sheet.find("@import") == std::string_view::npos);
}

} // namespace interlock::desk
