#include "cli/audit.hpp"
#include "cli/audit_bundle.hpp"
#include "cli/audit_export.hpp"
#include "tests/cli/audit_story.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using test::must;
using test::printed;
using test::Story;

/// The bundle of one approved change.
struct Bundle {
    Story story;
    std::string plan;
    std::string digest;
    std::string path;
    Files files;

    Bundle() {
        story.server_signs();
        plan = story.run_a_plan();
        story.executor_signs();
        digest = story.digest_of(plan);
        path = story.directory.file("bundle.tar");
        ExportOptions options;
        options.state_directory = story.state;
        options.plan_id = plan;
        options.out = path;
        options.json = true;
        REQUIRE(printed([&] { return export_audit(options); }).first == Exit::ok);
        files = must(read_tar(must(base::read_file(path, 1U << 28U))));
    }
    std::vector<std::string> problems(const Files& changed, const BundleTrust& trust = {}) const {
        const auto found = check_bundle(changed, trust);
        return found.ok() ? found->problems : std::vector<std::string>{found.error().what};
    }
    std::string in_plan(const std::string& part) const { return bundle_plan(digest, part); }
};

bool any_says(const std::vector<std::string>& problems, const std::string& words) {
    return std::any_of(problems.begin(), problems.end(), [&](const auto& problem) {
        return problem.find(words) != std::string::npos;
    });
}

} // namespace

TEST_CASE("no file of a bundle can be changed, left out or added unnoticed", "[cli]") {
    const Bundle bundle;
    REQUIRE(bundle.problems(bundle.files).empty());
    for (const auto& [path, content] : bundle.files) {
        INFO(path);
        if (!content.empty()) {
            auto changed = bundle.files;
            auto& text = changed[path];
            text[text.size() / 2] ^= 0x01;
            CHECK_FALSE(bundle.problems(changed).empty());
        }
        auto without = bundle.files;
        without.erase(path);
        CHECK_FALSE(bundle.problems(without).empty());
    }
    for (const char* path : {"extra.json", "records/1/header.json", "records/000000000099/x"}) {
        auto more = bundle.files;
        more[path] = "{}";
        CHECK_FALSE(bundle.problems(more).empty());
    }
    auto foreign = bundle.files;
    foreign[bundle_plan(std::string(64, 'a'), "plan.json")] = "{}";
    CHECK(any_says(bundle.problems(foreign), "belongs to no plan"));
    auto forged = bundle.files;
    forged[bundle.in_plan("decisions/03.json")] = "{}";
    CHECK(any_says(bundle.problems(forged), "no record holds the file decisions/03.json"));
}

TEST_CASE("a record that is left out of a plan's story is missed", "[cli]") {
    const Bundle bundle;
    for (std::uint64_t index = 0; index < 20; ++index) {
        if (!bundle.files.contains(bundle_record(index, "header.json")))
            continue;
        auto without = bundle.files;
        for (const char* part : {"header.json", "payload.json", "salt", "proof.tlog-proof"})
            without.erase(bundle_record(index, part));
        auto manifest = base::parse_json(without[bundle_manifest]).value();
        manifest["records"] = manifest["records"].get<int>() - 1;
        without[bundle_manifest] = base::render_json(manifest);
        INFO(bundle.files.at(bundle_record(index, "header.json")));
        const auto found = must(check_bundle(without, {}));
        CHECK_FALSE((found.problems.empty() && found.not_known.empty()));
    }
}

TEST_CASE("a bundle that does not say what it covers is not whole", "[cli]") {
    const Bundle bundle;
    const auto with_manifest = [&](const auto& change) {
        auto files = bundle.files;
        auto manifest = base::parse_json(files[bundle_manifest]).value();
        change(manifest);
        files[bundle_manifest] = base::render_json(manifest);
        return bundle.problems(files);
    };
    CHECK(with_manifest([](base::Json&) {}).empty());
    CHECK(any_says(
        with_manifest([](base::Json& manifest) { manifest.erase("asked_for"); }), "what was asked"
    ));
    CHECK(any_says(
        with_manifest([](base::Json& manifest) { manifest["asked_for"].erase("from"); }),
        "what was asked"
    ));
}

TEST_CASE("no member of a bundle's manifest can be changed, left out or added", "[cli]") {
    const Bundle bundle;
    const auto manifest = must(base::parse_json(bundle.files.at(bundle_manifest)));
    const auto problems = [&](const base::Json& changed) {
        auto files = bundle.files;
        files[bundle_manifest] = base::render_json(changed);
        return bundle.problems(files);
    };
    REQUIRE(problems(manifest).empty());
    for (const auto& [name, value] : manifest.items()) {
        INFO(name);
        auto changed = manifest;
        changed[name] = value.is_string()   ? base::Json("x")
                        : value.is_number() ? base::Json(value.get<int>() + 1)
                        : value.is_array()  ? base::Json::array({"x"})
                                            : base::Json::object();
        CHECK_FALSE(problems(changed).empty());
        changed.erase(name);
        CHECK_FALSE(problems(changed).empty());
    }
    auto changed = manifest;
    changed["asked_for"]["plan"] = "plan_another";
    CHECK(any_says(problems(changed), "its records are of another"));
    changed = manifest;
    changed["plans"][0]["plan_id"] = "plan_another";
    CHECK(any_says(problems(changed), "plans is not that"));
    changed = manifest;
    changed["audited_by"] = "us";
    CHECK(any_says(problems(changed), "which nothing shows"));
    changed = manifest;
    changed["asked_for"]["why"] = "because";
    CHECK(any_says(problems(changed), "which nothing shows"));
}

TEST_CASE("a bundle of the older form is named as that, and never called whole", "[cli]") {
    const Bundle bundle;
    auto files = bundle.files;
    auto manifest = must(base::parse_json(files[bundle_manifest]));
    manifest["format"] = bundle_format_older;
    manifest.erase("checkpoints");
    manifest["asked_for"].erase("incident");
    auto about = must(base::parse_json(files[bundle.in_plan("about.json")]));
    about.erase("version");
    about.erase("expires_at");
    files[bundle.in_plan("about.json")] = base::render_json(about);
    for (const auto index : {2U, 4U}) { // the call that asked
        for (const char* part : {"header.json", "payload.json", "salt", "proof.tlog-proof"})
            files.erase(bundle_record(index, part));
        manifest["records"] = manifest["records"].get<int>() - 1;
    }
    files[bundle_manifest] = base::render_json(manifest);
    const auto found = must(check_bundle(files, {}));
    for (const auto& problem : found.problems)
        FAIL_CHECK(problem);
    CHECK(any_says(found.not_known, "of an older form"));
}

TEST_CASE("a bundle says on whose authority its plan was asked for", "[cli]") {
    const Bundle bundle;
    const auto found = must(check_bundle(bundle.files, {}));
    REQUIRE(found.plans.at(0).asked);
    const auto& asked = *found.plans[0].asked;
    CHECK(asked.begin == 2);
    CHECK(asked.end == 4U);
    CHECK(asked.subject == "os:requester");
    AuditOptions options;
    options.bundle = bundle.path;
    const auto text = printed([&] { return verify_audit_log(options); }).second;
    for (const char* words :
         {"authority  os:requester by os, proven by os_user, database role interlock_diag",
          R"(claims     {"team":"sre"})",
          "because    A hypothesis",
          "records 2 and 4"})
        CHECK(text.find(words) != std::string::npos);
    auto without = bundle.files;
    for (const char* part : {"payload.json", "salt"})
        without.erase(bundle_record(2, part));
    CHECK(any_says(must(check_bundle(without, {})).not_known, "on whose authority is not known"));
}

TEST_CASE("a summary does not call proven what is not", "[cli]") {
    const Bundle bundle;
    auto files = bundle.files;
    files[bundle_record(3, "proof.tlog-proof")] = files[bundle_record(2, "proof.tlog-proof")];
    const auto found = must(check_bundle(files, {}));
    CHECK(found.proven + 1 == found.records);
    std::filesystem::remove(bundle.path);
    must(base::write_file_atomically(bundle.path, must(write_tar(files))));
    AuditOptions options;
    options.bundle = bundle.path;
    const auto [exit, text] = printed([&] { return verify_audit_log(options); });
    CHECK(exit == Exit::check_failed);
    CHECK(text.find("11 of 12 records proven") != std::string::npos);
    CHECK(text.find("each proven") == std::string::npos);
}

TEST_CASE("a bundle is held against the keys the reader brings along", "[cli]") {
    const Bundle bundle;
    BundleTrust trust;
    trust.verifier_key = bundle.story.key_of("interlock-executor");
    CHECK(bundle.problems(bundle.files, trust).empty());
    trust.verifier_key = bundle.story.key_of("interlock-server");
    CHECK(any_says(bundle.problems(bundle.files, trust), "checkpoint"));
    trust.verifier_key.clear();
    trust.allowed_signers = bundle.story.keys.allowed_signers;
    CHECK(bundle.problems(bundle.files, trust).empty());
    trust.allowed_signers = bundle.story.directory.file("others");
    must(base::write_file_atomically(
        trust.allowed_signers, "alice " + test::KeyRing::shared().public_key("carol") + "\n"
    ));
    const auto problems = bundle.problems(bundle.files, trust);
    CHECK(any_says(problems, "the decision does not verify"));
    CHECK(any_says(problems, "approved by 0 of 2 people"));
}

TEST_CASE("a bundle is verified at the shell, without a store", "[cli]") {
    const Bundle bundle;
    AuditOptions options;
    options.state_directory = "/nowhere";
    options.bundle = bundle.path;
    const auto [exit, text] = printed([&] { return verify_audit_log(options); });
    INFO(text);
    CHECK(exit == Exit::ok);
    for (const char* words :
         {"approve by alice", "approve by bob", "these bytes: yes", "kept: yes", "SUCCEEDED"})
        CHECK(text.find(words) != std::string::npos);
    options.json = true;
    const auto [json_exit, json] = printed([&] { return verify_audit_log(options); });
    CHECK(json_exit == Exit::ok);
    const auto document = base::parse_json(json);
    REQUIRE(document.ok());
    CHECK(base::boolean_member(*document, "whole") == true);
    CHECK((*document)["plans"][0]["decisions"].size() == 2);

    CHECK((*document)["plans"][0]["outcome_key_vouched_for_by"] == "bundle");

    const auto executor = bundle.story.key_of("interlock-executor");
    options.json = false;
    CHECK(text.find("outcome by " + executor) != std::string::npos);
    options.executor_keys = {executor};
    CHECK(printed([&] {
              return verify_audit_log(options);
          }).second.find("(a key you gave)") != std::string::npos);
    options.allowed_signers = "/nope";
    CHECK(printed([&] { return verify_audit_log(options); }).first == Exit::usage);
    options.allowed_signers.clear();
    options.executor_keys = {"nonsense"};
    CHECK(printed([&] { return verify_audit_log(options); }).first == Exit::usage);
    options.executor_keys.clear();
    options.json = true;

    options.verifier_keys = {executor};
    CHECK(printed([&] { return verify_audit_log(options); }).first == Exit::ok);
    options.checkpoints = {bundle.story.note_path("executor")};
    CHECK(printed([&] { return verify_audit_log(options); }).first == Exit::ok);
    options.verifier_keys.clear();
    CHECK(printed([&] { return verify_audit_log(options); }).first == Exit::usage);
    options.checkpoints.clear();

    auto tar = must(base::read_file(bundle.path, 1U << 28U));
    const auto place = tar.find("\"verdict\":\"approve\"");
    REQUIRE(place != std::string::npos);
    tar[place + 12] = 'r';
    must(base::write_file_atomically(bundle.path, tar));
    const auto [edited, why] = printed([&] { return verify_audit_log(options); });
    CHECK(edited == Exit::check_failed);
    CHECK(why.find("problems") != std::string::npos);
    must(base::write_file_atomically(bundle.path, "not a tar"));
    CHECK(printed([&] { return verify_audit_log(options); }).first == Exit::usage);
}

namespace {

/// The bundle of a period with calls before and after it.
struct PeriodBundle {
    Story story;
    std::uint64_t first = 0; // of the period's records
    std::uint64_t last = 0;
    ExportOptions options;
    Files files;

    PeriodBundle() {
        story.clock.advance(std::chrono::minutes(1));
        first = story.leaves();
        options.from = base::format_time(story.clock.now());
        story.run_a_plan();
        story.clock.advance(std::chrono::seconds(1));
        story.call("get_blocking", "os:agent", "ok");
        last = story.leaves() - 1;
        story.clock.advance(std::chrono::minutes(1));
        options.to = base::format_time(story.clock.now());
        story.call("list_targets", "os:agent", "ok");
        story.executor_signs();
        options.state_directory = story.state;
        options.json = true;
        options.out = story.directory.file("period.tar");
        read();
    }
    void read() {
        std::filesystem::remove(options.out);
        const auto [exit, text] = printed([&] { return export_audit(options); });
        INFO(text);
        REQUIRE((exit == Exit::ok || exit == Exit::check_failed));
        files = must(read_tar(must(base::read_file(options.out, 1U << 28U))));
    }
    /// The same without some records, as somebody would who wants that unnoticed.
    Files without(const std::vector<std::uint64_t>& indexes) const {
        auto changed = files;
        for (const auto index : indexes) {
            for (const char* part : {"header.json", "payload.json", "salt", "proof.tlog-proof"}) {
                changed.erase(bundle_record(index, part));
                changed.erase(bundle_witness(index, part));
            }
        }
        std::set<std::string> left;
        for (const auto& [path, content] : changed)
            if (path.starts_with("records/"))
                left.insert(path.substr(0, path.rfind('/')));
        auto manifest = base::parse_json(changed[bundle_manifest]).value();
        manifest["records"] = left.size();
        changed[bundle_manifest] = base::render_json(manifest);
        return changed;
    }
};

} // namespace

TEST_CASE("a period's first and last records are shown to be that by their neighbours", "[cli]") {
    const PeriodBundle bundle;
    const auto found = must(check_bundle(bundle.files, {}));
    for (const auto& problem : found.problems)
        FAIL_CHECK(problem);
    CHECK(found.not_known.empty());
    CHECK(found.scope.first == bundle.first);
    CHECK(found.scope.last == bundle.last);
    CHECK(found.witnesses == 2);
    CHECK(bundle.files.contains(bundle_witness(bundle.first - 1, "header.json")));
    CHECK(bundle.files.contains(bundle_witness(bundle.last + 1, "header.json")));
    // What a neighbour says is none of the reader's business.
    CHECK_FALSE(bundle.files.contains(bundle_witness(bundle.last + 1, "payload.json")));
    for (const auto& [path, content] : bundle.files) {
        if (!path.starts_with("witnesses/"))
            continue;
        INFO(path);
        auto without = bundle.files;
        without.erase(path);
        CHECK_FALSE(must(check_bundle(without, {})).problems.empty());
        auto changed = bundle.files;
        changed[path][content.size() / 2] ^= 0x01;
        CHECK_FALSE(must(check_bundle(changed, {})).problems.empty());
    }
}

TEST_CASE("records taken away at the ends of a period are missed", "[cli]") {
    const PeriodBundle bundle;
    const auto problems = [&](const std::vector<std::uint64_t>& indexes) {
        return must(check_bundle(bundle.without(indexes), {})).problems;
    };
    const auto first = bundle.first;
    const auto last = bundle.last;
    CHECK(any_says(problems({last}), "the record after it is not in the bundle"));
    CHECK(any_says(problems({last - 1, last}), "the record after it is not in the bundle"));
    CHECK(any_says(problems({first}), "the record before it is not in the bundle"));
    CHECK(any_says(problems({first - 1}), "the record before it is not in the bundle"));
    CHECK(any_says(problems({last + 1}), "the record after it is not in the bundle"));
    CHECK(any_says(problems({last - 1}), "are missing"));
    std::vector<std::uint64_t> all;
    for (auto index = first; index <= last; ++index)
        all.push_back(index);
    CHECK(any_says(problems(all), "no record of the period"));
}

TEST_CASE("a period that begins or ends with the log needs no neighbour there", "[cli]") {
    PeriodBundle bundle;
    const auto size = bundle.story.leaves();
    bundle.options.from.clear();
    bundle.read();
    auto found = must(check_bundle(bundle.files, {}));
    CHECK(found.problems.empty());
    CHECK(found.witnesses == 1);
    CHECK(any_says(must(check_bundle(bundle.without({0}), {})).problems, "begins with the log"));

    bundle.options.from = base::format_time(bundle.story.clock.now());
    bundle.options.to.clear();
    bundle.read();
    found = must(check_bundle(bundle.files, {}));
    CHECK(found.problems.empty());
    CHECK(found.not_known.empty());
    CHECK(found.scope.last == size - 1);
    CHECK(any_says(
        must(check_bundle(bundle.without({size - 1}), {})).problems, "ends with the checkpoint"
    ));
}

TEST_CASE("a period that outlasts its checkpoint is not called whole", "[cli]") {
    PeriodBundle bundle;
    bundle.options.to = base::format_time(bundle.story.clock.now() + std::chrono::hours(1));
    bundle.read();
    const auto found = must(check_bundle(bundle.files, {}));
    CHECK(found.problems.empty());
    CHECK(any_says(found.not_known, "The checkpoint ends within the period"));
    AuditOptions options;
    options.bundle = bundle.options.out;
    const auto [exit, text] = printed([&] { return verify_audit_log(options); });
    CHECK(exit == Exit::check_failed);
    CHECK(text.find("NOT PROVEN") != std::string::npos);
}

TEST_CASE("a clock that was set back within a period leaves no gap in it", "[cli]") {
    PeriodBundle bundle;
    auto& story = bundle.story;
    bundle.options.from = base::format_time(story.clock.now());
    bundle.options.to = base::format_time(story.clock.now() + std::chrono::minutes(5));
    story.call("get_blocking", "os:agent", "ok");
    story.clock.advance(-std::chrono::minutes(2));
    story.call("get_locks", "os:agent", "ok");
    story.clock.advance(std::chrono::minutes(2));
    story.call("get_blocking", "os:agent", "ok");
    story.clock.advance(std::chrono::hours(1));
    story.call("get_blocking", "os:agent", "ok");
    story.executor_signs();
    bundle.read();
    const auto found = must(check_bundle(bundle.files, {}));
    for (const auto& problem : found.problems)
        FAIL_CHECK(problem);
    CHECK(found.witnesses == 4); // two beside the period, two within
    // Ends beside which the clock was set cannot be told from ends that were cut.
    const auto glitch = found.scope.last - 2;
    std::vector<std::uint64_t> tail;
    for (auto index = glitch; index <= found.scope.last + 1; ++index)
        tail.push_back(index);
    auto cut = bundle.without(tail);
    for (const char* part : {"header.json", "proof.tlog-proof"})
        cut[bundle_witness(glitch - 1, part)] = bundle.files.at(bundle_witness(glitch - 1, part));
    CHECK(any_says(must(check_bundle(cut, {})).not_known, "a clock was set"));
}

TEST_CASE("a manifest whose period is none shows nothing", "[cli]") {
    const PeriodBundle bundle;
    for (const char* from : {"yesterday", "2026", "2026-11-21T03:00:00Z"}) {
        auto files = bundle.files;
        auto manifest = base::parse_json(files[bundle_manifest]).value();
        manifest["asked_for"]["from"] = from;
        files[bundle_manifest] = base::render_json(manifest);
        CHECK(any_says(must(check_bundle(files, {})).problems, "period is none"));
    }
}

TEST_CASE("what is no bundle is told apart from a broken one", "[cli]") {
    CHECK_FALSE(check_bundle({}, {}).ok());
    CHECK_FALSE(check_bundle({{bundle_manifest, "{}"}}, {}).ok());
    CHECK_FALSE(check_bundle({{bundle_manifest, "garbage"}}, {}).ok());
    const std::string manifest = R"({"format":"interlock-audit-bundle@1","records":0})";
    CHECK_FALSE(check_bundle({{bundle_manifest, manifest}}, {}).ok());
    CHECK_FALSE(
        check_bundle({{bundle_manifest, manifest}, {bundle_note, "x"}, {bundle_key, "x"}}, {}).ok()
    );
}

} // namespace interlock::cli
