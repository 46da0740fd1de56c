#include "cli/audit.hpp"
#include "cli/audit_bundle.hpp"
#include "cli/audit_export.hpp"
#include "tests/cli/audit_story.hpp"

#include <filesystem>

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
    REQUIRE(exit == Exit::ok);
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
    CHECK(found.records == 10); // and none of the calls in between
    CHECK(found.erased == 0);
    CHECK(found.earlier_checkpoints == 1); // the server's
    REQUIRE(found.plans.size() == 1);
    const auto& told = found.plans[0];
    CHECK(told.plan_id == plan);
    CHECK(told.requested_by == "os:requester");
    REQUIRE(told.decisions.size() == 2);
    CHECK(told.decisions[0].approver == "alice");
    CHECK(told.decisions[1].approver == "bob");
    CHECK(told.decisions[1].signature);
    CHECK(told.decisions[1].same_bytes);
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
}

TEST_CASE("what no signed checkpoint covers yet is not exported", "[cli]") {
    Story story;
    const auto out = story.directory.file("bundle.tar");
    const auto plan = story.run_a_plan();
    const auto options = of_plan(story, plan, out);
    CHECK(printed([&] { return export_audit(options); }).first == Exit::not_found);
    story.server_signs();
    story.append("plan.noted", "somebody", base::Json::object());
    CHECK(printed([&] { return export_audit(options); }).first == Exit::ok);
    const auto second = story.run_a_plan();
    const auto refused = printed([&] { return export_audit(of_plan(story, second, out)); });
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
    auto options_without = of_plan(story, plan, story.directory.file("bundle.tar"));
    CHECK_FALSE(must(check_bundle(files_of(exported(options_without)), trust)).problems.empty());
}

TEST_CASE("erased payloads are told, with the record of their erasure", "[cli]") {
    Story story;
    const auto plan = story.run_a_plan();
    story.append("audit.erased", "os:eve", {{"reason", "why"}, {"payloads", {{2, 2}}}});
    story.tamper("delete from audit_payload where leaf_index = 2");
    story.executor_signs();
    const auto found = must(check_bundle(
        files_of(exported(of_plan(story, plan, story.directory.file("bundle.tar")))), {}
    ));
    CHECK(found.erased == 1);
    CHECK(found.problems.empty());
    story.tamper("delete from audit_payload where leaf_index = 8");
    story.executor_signs();
    const auto unrecorded = must(check_bundle(
        files_of(exported(of_plan(story, plan, story.directory.file("bundle.tar")))), {}
    ));
    CHECK(unrecorded.erased == 2);
    CHECK_FALSE(unrecorded.problems.empty());
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
    options.from.clear();
    CHECK(exit(options) == Exit::usage);
    options.plan_id = "plan_unknown";
    CHECK(exit(options) == Exit::not_found);
    options.plan_id = plan;
    options.since_checkpoint = "x.note";
    CHECK(exit(options) == Exit::usage);
    options.since_checkpoint.clear();
    options.state_directory += "/nowhere";
    CHECK(exit(options) == Exit::not_found);
}

} // namespace interlock::cli
