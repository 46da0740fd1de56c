#include "cli/audit.hpp"
#include "cli/audit_bundle.hpp"
#include "cli/audit_export.hpp"
#include "tests/cli/audit_story.hpp"

#include <filesystem>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using test::must;
using test::printed;
using test::Story;

ExportOptions of_plan(const Story& story, const std::string& plan, const std::string& out) {
    ExportOptions options;
    options.state_directory = story.state;
    options.plan_id = plan;
    options.out = out;
    options.json = true;
    return options;
}

std::string exported(const ExportOptions& options) {
    const auto [exit, text] = printed([&] { return export_audit(options); });
    INFO(text);
    REQUIRE((exit == Exit::ok || exit == Exit::check_failed));
    // The export ends as the verification of what it wrote.
    AuditOptions verified;
    verified.bundle = options.out;
    CHECK(printed([&] { return verify_audit_log(verified); }).first == exit);
    return must(base::read_file(options.out, 1U << 28U));
}

Files files_of(const std::string& tar) {
    return must(read_tar(tar));
}

/// What a stock tool prints for a shell line.
std::string shell(const std::string& line) {
    base::Command command;
    command.arguments = {"sh", "-c", line};
    const auto output = must(base::run(command));
    INFO(line << "\n" << output.err);
    CHECK(output.exit_code == 0);
    return output.out;
}

} // namespace

TEST_CASE("a plan's bundle is the same each time, and checks out by itself", "[cli]") {
    Story story;
    story.server_signs();
    const auto plan = story.run_a_plan();
    story.executor_signs();
    const auto out = story.directory.file("bundle.tar");
    const auto tar = exported(of_plan(story, plan, out));
    CHECK(tar == exported(of_plan(story, plan, story.directory.file("again.tar"))));
    const auto found = must(check_bundle(files_of(tar), {}));
    for (const auto& problem : found.problems)
        FAIL_CHECK(problem);
    CHECK(found.records == 12); // with the call that asked, and none of those in between
    CHECK(found.erased == 0);
    CHECK(found.earlier_checkpoints == 1); // the server's
    REQUIRE(found.plans.size() == 1);
    const auto& told = found.plans[0];
    CHECK(told.plan_id == plan);
    CHECK(told.requested_by == "os:requester");
    REQUIRE(told.decisions.size() == 2);
    CHECK(told.decisions[0].approver == "alice");
    CHECK(told.decisions[1].approver == "bob");
    CHECK(told.decisions[1].signature == true);
    CHECK(told.decisions[1].same_bytes == true);
    CHECK(told.decisions[1].key.starts_with("SHA256:"));
    CHECK(told.expiry_kept == true);
    CHECK(told.same_bytes_ran == true);
    CHECK(told.outcome_signed);
    CHECK(told.state == "SUCCEEDED");
}

TEST_CASE("everything in a bundle can be checked with stock tools", "[cli]") {
    Story story;
    const auto plan = story.run_a_plan();
    story.executor_signs();
    const auto out = story.directory.file("bundle.tar");
    exported(of_plan(story, plan, out));
    const auto at = story.directory.file("unpacked");
    std::filesystem::create_directory(at);
    const auto digest = story.digest_of(plan);
    const auto in_plan = "cd " + at + "/plans/" + digest + " && ";
    shell("tar -xf " + out + " -C " + at);
    CHECK(
        shell(
            in_plan +
            "{ printf 'DSSEv1 38 application/vnd.interlock.plan.v1+json %d ' $(wc -c < plan.json); "
            "cat plan.json; } | sha256sum"
        )
            .starts_with(digest)
    );
    CHECK(
        shell(
            in_plan + "ssh-keygen -Y verify -n interlock-decision -f decisions/01.signers "
                      "-I alice -s decisions/01.json.sig < decisions/01.json"
        )
            .find("Good \"interlock-decision\" signature for alice") != std::string::npos
    );
    CHECK(shell(in_plan + "cat decisions/01.json").find(digest) != std::string::npos);
    const auto record = "cd " + at + "/records/000000000002 && ";
    const auto header = shell(record + "cat header.json");
    CHECK(
        header.find(shell(record + "cat salt payload.json | sha256sum").substr(0, 64)) !=
        std::string::npos
    );
    CHECK(
        shell(in_plan + "cat decisions/01.json")
            .find(shell(in_plan + "sha256sum presentation.json").substr(0, 64)) != std::string::npos
    );
    const auto decided = base::string_member(
        must(base::parse_json(shell(in_plan + "cat decisions/01.json"))), "decided_at"
    );
    std::string stamp; // as ssh-keygen takes it
    for (const char c : decided.value().substr(0, 19))
        stamp += c >= '0' && c <= '9' ? std::string(1, c) : "";
    shell(
        in_plan +
        "ssh-keygen -Y verify -n interlock-decision -f decisions/01.signers -I alice "
        "-O verify-time=" +
        stamp + "Z -s decisions/01.json.sig < decisions/01.json"
    );
}

namespace {

/// The script in docs/audit.md, as a reader saves it.
std::string documented_script() {
    const auto text = must(base::read_file("docs/audit.md", 1U << 20U));
    const std::string fence = "   ```python\n";
    const auto begin = text.find(fence);
    REQUIRE(begin != std::string::npos);
    const auto end = text.find("   ```\n", begin + fence.size());
    REQUIRE(end != std::string::npos);
    std::string script;
    std::istringstream lines(text.substr(begin + fence.size(), end - begin - fence.size()));
    for (std::string line; std::getline(lines, line);)
        script += (line.size() > 3 ? line.substr(3) : "") + "\n";
    return script;
}

} // namespace

TEST_CASE("the documented script leads from a leaf to the signed root", "[cli]") {
    Story story;
    const auto plan = story.run_a_plan();
    story.call("get_blocking", "os:agent", "ok");
    story.executor_signs();
    const auto out = story.directory.file("bundle.tar");
    const auto files = files_of(exported(of_plan(story, plan, out)));
    const auto at = story.directory.file("unpacked");
    std::filesystem::create_directory(at);
    shell("tar -xf " + out + " -C " + at);
    must(base::write_file_atomically(at + "/leaf.py", documented_script()));
    const auto run = [&](const std::string& record, const std::string& name) {
        return shell(
            "cd " + at + "/" + record + " && python3 ../../leaf.py '" + story.key_of(name) +
            "' || echo refused"
        );
    };
    std::size_t checked = 0;
    for (const auto& [path, content] : files) {
        if (!path.starts_with("records/") || !path.ends_with("/header.json"))
            continue;
        const auto record = path.substr(0, path.rfind('/'));
        INFO(record);
        CHECK(run(record, "interlock-executor").find("Verified Successfully") != std::string::npos);
        ++checked;
    }
    CHECK(checked == 12);
    const std::string record = "records/000000000003";
    CHECK(run(record, "interlock-server").find("refused") != std::string::npos);
    must(base::write_file_atomically(at + "/" + record + "/header.json", "{}"));
    CHECK(run(record, "interlock-executor").find("refused") != std::string::npos);
}

TEST_CASE("what no signed checkpoint covers yet is not exported", "[cli]") {
    Story story;
    const auto out = story.directory.file("bundle.tar");
    const auto plan = story.run_a_plan();
    const auto options = of_plan(story, plan, out);
    CHECK(printed([&] { return export_audit(options); }).first == Exit::not_found);
    story.server_signs();
    story.append("plan.noted", "somebody", base::Json::object());
    // Written, and as long as the executor signs nothing, nobody says whose key the outcome's is.
    CHECK(printed([&] { return export_audit(options); }).first == Exit::check_failed);
    CHECK(std::filesystem::exists(out));
    const auto second = story.run_a_plan();
    const auto other = of_plan(story, second, story.directory.file("other.tar"));
    const auto refused = printed([&] { return export_audit(other); });
    CHECK(refused.first == Exit::refused);
    CHECK(refused.second.find("newest signed checkpoint") != std::string::npos);
}

TEST_CASE("a log that does not lead to its checkpoint is not exported", "[cli]") {
    Story story;
    const auto plan = story.run_a_plan();
    story.executor_signs();
    story.tamper("update audit_log set leaf_hash = (select leaf_hash from audit_log "
                 "where leaf_index = 0) where leaf_index = 1");
    const auto done =
        printed([&] { return export_audit(of_plan(story, plan, story.directory.file("x.tar"))); });
    CHECK(done.first != Exit::ok);
    CHECK_FALSE(std::filesystem::exists(story.directory.file("x.tar")));
}

TEST_CASE("a period is exported with the whole stories of its plans", "[cli]") {
    Story story;
    const auto from = base::format_time(story.clock.now());
    const auto plan = story.run_a_plan();
    const auto middle = base::format_time(story.clock.now());
    story.clock.advance(std::chrono::hours(1));
    story.call("list_targets", "os:agent", "ok");
    story.executor_signs();
    ExportOptions options;
    options.state_directory = story.state;
    options.json = true;
    options.out = story.directory.file("period.tar");
    SECTION("all of it") {
        options.from = from;
        const auto found = must(check_bundle(files_of(exported(options)), {}));
        CHECK(found.problems.empty());
        CHECK(found.records == story.leaves());
        CHECK(found.plans.size() == 1);
    }
    SECTION("only its last minute: the plan's records before belong to it") {
        options.from = middle;
        const auto found = must(check_bundle(files_of(exported(options)), {}));
        for (const auto& problem : found.problems)
            FAIL_CHECK(problem);
        REQUIRE(found.plans.size() == 1);
        CHECK(found.plans[0].decisions.size() == 2);
        CHECK(found.records < story.leaves());
    }
    SECTION("a time without records") {
        options.from = "2031-01-01T00:00:00Z";
        CHECK(printed([&] { return export_audit(options); }).first == Exit::not_found);
    }
}

TEST_CASE("a bundle proves that the log continues a checkpoint kept from before", "[cli]") {
    Story story;
    story.server_signs();
    const auto kept = story.directory.file("kept.note");
    std::filesystem::copy_file(story.note_path("interlock-server"), kept);
    const auto plan = story.run_a_plan();
    story.executor_signs();
    std::filesystem::remove(story.note_path("interlock-server"));
    auto options = of_plan(story, plan, story.directory.file("bundle.tar"));
    options.since_checkpoint = kept;
    options.since_key = story.key_of("interlock-server");
    const auto files = files_of(exported(options));
    BundleTrust trust;
    trust.earlier = must(telemetry::read_checkpoint(kept, options.since_key));
    const auto found = must(check_bundle(files, trust));
    CHECK(found.problems.empty());
    CHECK(found.earlier_checkpoints == 2); // as a file of the bundle, and as what was kept
    // Without the proof, nothing tells that the log continues it.
    auto options_without = of_plan(story, plan, story.directory.file("without.tar"));
    CHECK_FALSE(must(check_bundle(files_of(exported(options_without)), trust)).problems.empty());
}

TEST_CASE("erased payloads are told, with the record of their erasure", "[cli]") {
    Story story;
    const auto plan = story.run_a_plan();
    story.append("audit.erased", "os:eve", {{"reason", "why"}, {"payloads", {{3, 3}}}});
    story.tamper("delete from audit_payload where leaf_index = 3");
    story.executor_signs();
    const auto found = must(check_bundle(
        files_of(exported(of_plan(story, plan, story.directory.file("bundle.tar")))), {}
    ));
    CHECK(found.erased == 1);
    CHECK(found.problems.empty());
    story.tamper("delete from audit_payload where leaf_index = 8");
    story.executor_signs();
    const auto unrecorded = must(check_bundle(
        files_of(exported(of_plan(story, plan, story.directory.file("again.tar")))), {}
    ));
    CHECK(unrecorded.erased == 2);
    CHECK_FALSE(unrecorded.problems.empty());
}

TEST_CASE("an erasure that no checkpoint covers yet is waited for", "[cli]") {
    Story story;
    const auto plan = story.run_a_plan();
    story.executor_signs();
    story.append("audit.erased", "os:eve", {{"reason", "why"}, {"payloads", {{3, 3}}}});
    story.tamper("delete from audit_payload where leaf_index = 3");
    const auto options = of_plan(story, plan, story.directory.file("bundle.tar"));
    const auto [exit, text] = printed([&] { return export_audit(options); });
    CHECK(exit == Exit::refused);
    CHECK(text.find("which tells of an erasure, is newer than") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(options.out));
    story.executor_signs();
    const auto found = must(check_bundle(files_of(exported(options)), {}));
    CHECK(found.problems.empty());
    CHECK_FALSE(found.not_known.empty());
}

TEST_CASE("an export says of its bundle what a verification of it does", "[cli]") {
    Story story;
    const auto from = base::format_time(story.clock.now());
    story.run_a_plan();
    story.executor_signs();
    ExportOptions options;
    options.state_directory = story.state;
    options.from = from;
    options.to = base::format_time(story.clock.now() + std::chrono::hours(24));
    options.out = story.directory.file("period.tar");
    const auto [exit, text] = printed([&] { return export_audit(options); });
    CHECK(exit == Exit::check_failed);
    CHECK(text.find("NOT PROVEN") != std::string::npos);
    CHECK(text.find("The checkpoint ends within the period") != std::string::npos);
    options.to.clear();
    options.out = story.directory.file("to-the-checkpoint.tar");
    (void)exported(options);
    CHECK(must(check_bundle(files_of(must(base::read_file(options.out, 1U << 28U))), {}))
              .not_known.empty());
}

TEST_CASE("an incident is exported with the calls and the plans that name it", "[cli]") {
    Story story;
    story.begin("of it", "get_blocking", "os:agent", "INC-7");
    story.call("get_blocking", "os:agent", "ok"); // of none
    story.end("of it", "get_blocking", "ok");
    const auto plan = story.run_a_plan("INC-7");
    story.proposed(1, "INC-8");
    story.executor_signs();
    ExportOptions options;
    options.state_directory = story.state;
    options.incident = "INC-7";
    options.out = story.directory.file("incident.tar");
    options.json = true;
    auto files = files_of(exported(options));
    const auto found = must(check_bundle(files, {}));
    for (const auto& problem : found.problems)
        FAIL_CHECK(problem);
    CHECK(found.records == 14);
    REQUIRE(found.plans.size() == 1);
    CHECK(found.plans[0].plan_id == plan);
    CHECK(found.scope.incident == "INC-7");
    // What an incident is stands in what records say: that none is left out, only a period shows.
    // No such bundle can, so that it is no flaw of this one.
    CHECK(found.not_known.empty());
    REQUIRE(found.not_shown.size() == 1);
    CHECK(found.not_shown[0].find("A period that spans it shows that") != std::string::npos);
    options.out = story.directory.file("again.tar");
    const auto [exit, text] = printed([&] { return export_audit(options); });
    CHECK(exit == Exit::ok);
    const auto told = must(base::parse_json(text));
    CHECK(told["whole"] == true);
    CHECK(told["not_shown"].size() == 1);
    auto manifest = must(base::parse_json(files[bundle_manifest]));
    manifest["asked_for"]["incident"] = "INC-8";
    files[bundle_manifest] = base::render_json(manifest);
    CHECK_FALSE(must(check_bundle(files, {})).problems.empty());
    options.incident = "INC-9";
    options.out = story.directory.file("none.tar");
    CHECK(printed([&] { return export_audit(options); }).first == Exit::not_found);
}

TEST_CASE("records of an incident from before they named it are found all the same", "[cli]") {
    Story story;
    story.append(
        "tool.begin",
        "os:agent",
        {{"call", "old"}, {"tool", "propose_plan"}, {"arguments", {{"incident", "INC-7"}}}}
    );
    story.append("tool.end", "os:agent", {{"call", "old"}, {"outcome", "refused"}});
    story.executor_signs();
    ExportOptions options;
    options.state_directory = story.state;
    options.incident = "INC-7";
    options.out = story.directory.file("incident.tar");
    options.json = true;
    CHECK(must(check_bundle(files_of(exported(options)), {})).records == 2);
}

TEST_CASE("what to export, and since when, is said in one way", "[cli]") {
    Story story;
    const auto plan = story.run_a_plan();
    story.executor_signs();
    auto options = of_plan(story, plan, story.directory.file("bundle.tar"));
    const auto exit = [&](const ExportOptions& what) {
        return printed([&] { return export_audit(what); }).first;
    };
    options.from = "2026-01-01T00:00:00Z";
    CHECK(exit(options) == Exit::usage);
    options.plan_id.clear();
    options.from = "yesterday";
    CHECK(exit(options) == Exit::usage);
    options.from = "2026-02-01T00:00:00Z";
    options.to = "2026-01-01T00:00:00Z";
    const auto backwards = printed([&] { return export_audit(options); });
    CHECK(backwards.first == Exit::usage);
    CHECK(backwards.second.find("ends before it begins") != std::string::npos);
    options.to.clear();
    options.from.clear();
    CHECK(exit(options) == Exit::usage);
    options.plan_id = "plan_unknown";
    CHECK(exit(options) == Exit::not_found);
    options.plan_id = plan;
    options.since_checkpoint = "x.note";
    CHECK(exit(options) == Exit::usage);
    options.since_checkpoint.clear();
    must(base::write_file_atomically(options.out, "mine"));
    CHECK(exit(options) == Exit::usage);
    CHECK(must(base::read_file(options.out, 100)) == "mine");
    options.out += "2";
    options.state_directory += "/nowhere";
    CHECK(exit(options) == Exit::not_found);
}

} // namespace interlock::cli
