#include "approval/desk/plan_view.hpp"
#include "tests/approval/fixture.hpp"

#include <algorithm>
#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::desk {

using test::must;

TEST_CASE("a view is made from the bytes, and says when they are not those submitted") {
    test::Office office;
    approval::StoredPlan stored = must(office.queue.get(office.approved()));
    const PlanView good = view_of(stored);
    CHECK(good.intact);
    CHECK(good.digest == stored.digest);
    REQUIRE(good.plan);
    CHECK(good.rendered == runbooks::render_plan(*good.plan, good.digest));
    CHECK(good.approvals == 1);
    CHECK(good.presentation.title == "A title");

    stored.bytes[stored.bytes.find("4242")] = '5';
    const PlanView changed = view_of(stored);
    CHECK_FALSE(changed.intact);
    CHECK(changed.digest != stored.digest);
    CHECK(changed.rendered.find("5242") != std::string::npos);

    stored.bytes = "nonsense";
    stored.presentation = "nonsense";
    const PlanView broken = view_of(stored);
    CHECK_FALSE(broken.plan);
    CHECK(broken.rendered.empty());
    CHECK(broken.presentation.title.empty());
}

TEST_CASE("the JSON keeps the agent's words apart and can be pasted anywhere") {
    test::Office office;
    approval::StoredPlan stored = must(office.queue.get(office.approved()));
    runbooks::Presentation words;
    words.title = "</script><script>alert(1)</script>\u202e & \x7f";
    words.hypothesis = "It says VACUUM.";
    stored.presentation = runbooks::presentation_bytes(words);
    const std::string text = plan_json(view_of(stored));
    CHECK(text.find_first_of("<>&") == std::string::npos);
    CHECK(std::all_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x80;
    }));
    const auto json = must(base::parse_json(text));
    CHECK(json["agent_words"]["title"] == words.title);
    CHECK(json["agent_words"]["hypothesis"] == words.hypothesis);
    CHECK(json["plan_bytes"] == stored.bytes);
    CHECK(json["digest"] == stored.digest);
    CHECK(json["intact"] == true);
    CHECK(json["state"] == "APPROVED");
    CHECK(json["decisions"][0]["approver"] == "alice");
    CHECK(json["decisions"][0]["verdict"] == "approve");
    CHECK(json["needs"]["approvals"] == 1);
    CHECK(json["script"].get<std::string>().find(words.hypothesis) == std::string::npos);

    const auto list = must(base::parse_json(list_json({view_of(stored)})));
    CHECK(list["plans"].size() == 1);
    CHECK(list["plans"][0]["id"] == stored.id);
    const auto none = must(base::parse_json(list_json({})));
    CHECK(none["plans"].is_array());
    const auto error = must(base::parse_json(error_json({base::Errc::not_found, "<b>", "x"})));
    CHECK(error["error"]["code"] == "not_found");
}

} // namespace interlock::desk
