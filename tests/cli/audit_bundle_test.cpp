#include "cli/audit.hpp"
#include "cli/audit_bundle.hpp"
#include "cli/audit_export.hpp"
#include "tests/cli/audit_story.hpp"

#include <algorithm>
#include <filesystem>

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
    // Read by people only, vouched for by nothing; the manifest's counts are.
    const auto prose = [&](const std::string& path) {
        return path == bundle.in_plan("about.json") || path == bundle.in_plan("steps.json");
    };
    for (const auto& [path, content] : bundle.files) {
        if (prose(path))
            continue;
        INFO(path);
        if (path != bundle_manifest && !content.empty()) {
            auto changed = bundle.files;
            auto& text = changed[path];
            text[text.size() / 2] ^= 0x01;
            CHECK_FALSE(bundle.problems(changed).empty());
        }
        auto without = bundle.files;
        without.erase(path);
        // A copy of what the records hold may be missing: the records speak.
        if (!path.starts_with(bundle.in_plan("decisions/")))
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
    CHECK(any_says(bundle.problems(forged), "no record holds the decision"));
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
        const auto type = bundle.files.at(bundle_record(index, "header.json"));
        INFO(type);
        // A step's record changes nothing that others count on: its absence cannot be seen here.
        if (type.find("\"step.") == std::string::npos)
            CHECK_FALSE(bundle.problems(without).empty());
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

    options.verifier_keys = {bundle.story.key_of("interlock-executor")};
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
