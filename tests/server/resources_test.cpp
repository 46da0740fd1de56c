#include "base/text.hpp"
#include "base/yaml.hpp"
#include "server/resources.hpp"
#include "tests/server/offer_bench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace server = interlock::server;
namespace limits = interlock::base::limits;
using interlock::base::Json;
using interlock::test::json_of;
using interlock::test::OfferBench;
using interlock::test::RecordingConversation;

namespace {

/// The one content of a resource that is there.
Json content(OfferBench& bench, RecordingConversation& conversation, const std::string& uri) {
    auto outcome = bench.offer.read(conversation, uri);
    INFO(uri);
    REQUIRE(std::holds_alternative<server::ResourceAnswer>(outcome));
    Json contents = json_of(std::get<server::ResourceAnswer>(outcome).contents);
    REQUIRE(contents.size() == 1);
    CHECK(contents[0]["uri"] == uri);
    return contents[0];
}

Json content(OfferBench& bench, const std::string& uri, const std::string& subject = "os:tester") {
    auto conversation = bench.as(subject);
    return content(bench, conversation, uri);
}

/// How a read failed: the error's code and message, without the address.
std::pair<int, std::string>
refusal(OfferBench& bench, RecordingConversation& conversation, const std::string& uri) {
    auto outcome = bench.offer.read(conversation, uri);
    INFO(uri.substr(0, 80));
    REQUIRE(std::holds_alternative<server::RpcError>(outcome));
    auto error = std::get<server::RpcError>(outcome);
    if (const auto at = error.message.find(uri); at != std::string::npos) {
        error.message.erase(at, uri.size());
    }
    return {error.code, error.message};
}

} // namespace

TEST_CASE("evidence that was rewritten is refused, and not as if there were none", "[server]") {
    OfferBench bench;
    const std::string id = bench.keep(R"({"verdict":"incident"})");
    auto conversation = bench.as("os:tester");
    content(bench, conversation, "evidence://" + id);
    bench.rewrite_evidence(R"({"verdict":"healthy"})");
    const auto [code, message] = refusal(bench, conversation, "evidence://" + id);
    CHECK(code == server::rpc::internal_error);
    CHECK(message.find("was changed") != std::string::npos);
}

TEST_CASE("short evidence is read whole, byte for byte", "[server]") {
    OfferBench bench;
    const std::string body = R"({"summary":"all wéll"})";
    const std::string uri = "evidence://" + bench.keep(body);
    const Json whole = content(bench, uri);
    CHECK(whole["mimeType"] == "application/json");
    CHECK(whole["text"] == body);
    CHECK(content(bench, uri + "?page=1")["text"] == body);
    auto conversation = bench.as();
    CHECK(refusal(bench, conversation, uri + "?page=2").first == server::resource_missing);
}

TEST_CASE("long evidence comes in pages that put together are the whole", "[server]") {
    OfferBench bench;
    std::string body = "{\"text\":\"";
    while (body.size() < 2 * limits::evidence_page_bytes + 1'000) {
        body += "häß€𝄞"; // characters of every length fall on the cuts
    }
    body += "\"}";
    const std::string uri = "evidence://" + bench.keep(body);
    std::string joined;
    std::string next = uri;
    int pages = 0;
    while (!next.empty()) {
        REQUIRE(++pages <= 3);
        const Json page = content(bench, next);
        CHECK(page["mimeType"] == "text/plain");
        const auto text = page["text"].get<std::string>();
        CHECK(interlock::base::is_utf8(text));
        const std::string heading = text.substr(0, text.find('\n'));
        CHECK_THAT(heading, Catch::StartsWith("Page " + std::to_string(pages) + " of 3 of"));
        CHECK(text.size() <= limits::evidence_page_bytes + heading.size() + 4);
        joined += text.substr(heading.size() + 1);
        const auto mark = heading.find("next: ");
        next = mark == std::string::npos
                   ? std::string()
                   : heading.substr(mark + 6, heading.find(". The") - mark - 6);
    }
    CHECK(pages == 3);
    CHECK(joined == body);
    auto conversation = bench.as();
    CHECK(refusal(bench, conversation, uri + "?page=4").first == server::resource_missing);
}

TEST_CASE("foreign, expired and invented resources answer alike", "[server]") {
    OfferBench bench;
    const std::string evidence = bench.keep("{}", "os:other");
    const std::string own = bench.keep("{}");
    const std::string plan = bench.submit("os:other");
    auto conversation = bench.as();
    const auto nothing = refusal(bench, conversation, "evidence://ev_" + std::string(26, 'a'));
    CHECK(nothing.first == server::resource_missing);
    CHECK(refusal(bench, conversation, "evidence://" + evidence) == nothing);
    CHECK(refusal(bench, conversation, "plan://" + plan) == nothing);
    CHECK(refusal(bench, conversation, "plan://plan_" + std::string(26, 'a')) == nothing);
    CHECK(refusal(bench, conversation, "runbook://drop-everything") == nothing);
    for (const std::string& uri :
         {std::string("evidence://../../../etc/passwd"),
          std::string("evidence://") + std::string("ev_\0", 4),
          std::string("plan://plan_%41"),
          std::string("plan://") + std::string(100'000, 'x'),
          std::string("' or 1=1 --"),
          std::string()}) {
        CHECK(refusal(bench, conversation, uri).first == server::resource_missing);
    }
    content(bench, conversation, "evidence://" + own);
    bench.clock.advance(limits::evidence_lifetime + std::chrono::seconds{1});
    CHECK(refusal(bench, conversation, "evidence://" + own) == nothing);
    auto nobody = bench.as("");
    CHECK(refusal(bench, nobody, "evidence://" + evidence) == nothing);
}

TEST_CASE("evidence that a joint plan cites may be read by all who asked for it", "[server]") {
    OfferBench bench;
    const std::string cited = bench.keep(R"({"n":1})", "os:ann");
    const std::string other = bench.keep(R"({"n":2})", "os:ann");
    const std::string plan = bench.submit("os:ann", {cited});
    auto bob = bench.as("os:bob");
    const auto nothing = refusal(bench, bob, "evidence://" + cited);
    CHECK(nothing.first == server::resource_missing);
    REQUIRE(bench.submit("os:bob") == plan); // the same effects: joined
    CHECK(content(bench, bob, "evidence://" + cited)["text"] == R"({"n":1})");
    CHECK(refusal(bench, bob, "evidence://" + other) == nothing);
    // Citing an id gives no right to it: only the plan's first requester's evidence counts.
    const std::string secret = bench.keep(R"({"n":3})", "os:eve");
    bench.submit("os:bob", {secret}, 77);
    CHECK(refusal(bench, bob, "evidence://" + secret) == nothing);
}

TEST_CASE("a runbook is its contract, and says how to propose it", "[server]") {
    OfferBench bench;
    REQUIRE_FALSE(bench.offer.resources().empty());
    for (const auto& listed : bench.offer.resources()) {
        const Json runbook = content(bench, listed.uri);
        CHECK(runbook["mimeType"] == "application/yaml");
        const auto text = runbook["text"].get<std::string>();
        for (const std::string needed : {"propose_plan", "parameters pid", "diagnose", "ssh_key"}) {
            CHECK_THAT(text, Catch::Contains(needed));
        }
        const auto yaml = interlock::base::parse_yaml(text);
        REQUIRE(yaml.ok());
        CHECK("runbook://" + yaml.value()["id"].get<std::string>() == listed.uri);
    }
}

TEST_CASE("a plan shows state, digest and what people read to its requesters", "[server]") {
    OfferBench bench;
    const std::string id = bench.submit("os:ann", {"ev_" + std::string(26, 'a')});
    const Json plan = json_of(content(bench, "plan://" + id, "os:ann")["text"]);
    CHECK(plan["plan_id"] == id);
    CHECK(plan["state"] == "PENDING");
    CHECK(plan["digest"].get<std::string>().size() == 64);
    CHECK(plan["desk_url"] == "https://desk.example/plans/" + id);
    CHECK_THAT(plan["script"].get<std::string>(), Catch::Contains("4242"));
    CHECK(plan["presentation"]["title"] == "Release a session");
    const auto hypothesis = plan["presentation"]["hypothesis"].get<std::string>();
    CHECK(hypothesis.find('\x1b') == std::string::npos);
    CHECK(plan["presentation"]["evidence"].size() == 1);
    bench.clock.advance(limits::pending_lifetime + std::chrono::seconds{1});
    CHECK(json_of(content(bench, "plan://" + id, "os:ann")["text"])["state"] == "EXPIRED");
}

TEST_CASE("a resource needs the scope and toolset of what made it", "[server]") {
    OfferBench bench;
    const std::string evidence = "evidence://" + bench.keep("{}"); // of diagnose: triage
    const std::string plan = "plan://" + bench.submit();
    const std::string runbook = bench.offer.resources().front().uri;
    auto conversation = bench.as();
    conversation.may().scopes = std::set<std::string>{"interlock:triage"};
    content(bench, conversation, evidence);
    CHECK(refusal(bench, conversation, plan).first == server::resource_missing);
    CHECK(refusal(bench, conversation, runbook).first == server::resource_missing);
    conversation.may().scopes = std::set<std::string>{"interlock:planning"};
    CHECK(refusal(bench, conversation, evidence).first == server::resource_missing);
    content(bench, conversation, plan);
    content(bench, conversation, runbook);
    conversation.may().scopes.reset();
    conversation.may().toolsets = std::set<std::string>{"postgres"};
    for (const std::string& uri : {evidence, plan, runbook}) {
        CHECK(refusal(bench, conversation, uri).first == server::resource_missing);
    }
}

TEST_CASE("a broken store is told apart from a plan that is not there", "[server]") {
    OfferBench bench;
    const std::string uri = "plan://" + bench.submit();
    REQUIRE(bench.store
                ->transact([](interlock::db::StoreTransaction& transaction) {
                    const auto ran = transaction.run("update plans set plan_bytes = '{}'");
                    return ran ? interlock::base::Status(interlock::base::done)
                               : interlock::base::Status(ran.error());
                })
                .ok());
    auto conversation = bench.as();
    const auto error = refusal(bench, conversation, uri);
    CHECK(error.first == server::rpc::internal_error);
    CHECK_THAT(error.second, Catch::Contains("not those that were submitted"));
}

TEST_CASE("only plans of one's own can be watched, and are marked then", "[server]") {
    OfferBench bench;
    const std::string id = bench.submit("os:ann");
    server::Access ann;
    ann.identity.subject = "os:ann";
    server::Access bob;
    bob.identity.subject = "os:bob";
    CHECK(bench.offer.watchable(ann, "plan://" + id));
    CHECK(bench.marks.size() == 1);
    CHECK_FALSE(bench.offer.watchable(bob, "plan://" + id));
    CHECK_FALSE(bench.offer.watchable(ann, "plan://" + id + "?page=1"));
    CHECK_FALSE(bench.offer.watchable(ann, "evidence://" + bench.keep("{}", "os:ann")));
    CHECK_FALSE(bench.offer.watchable(ann, bench.offer.resources().front().uri));
    ann.scopes = std::set<std::string>{"interlock:triage"};
    CHECK_FALSE(bench.offer.watchable(ann, "plan://" + id)); // whoever may not read it either
    CHECK(bench.marks.size() == 1);
}
