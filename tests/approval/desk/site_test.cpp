#include "approval/brakes.hpp"
#include "approval/desk/site.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "tests/approval/desk/watch.hpp"
#include "tests/approval/fixture.hpp"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::desk {

using test::must;

namespace {

const std::string token(64, 't');

struct Desk {
    test::Office office;
    std::string id = office.submitted();
    std::unique_ptr<LogWatch> watch = test::watch_of(office);
    PlanSource plans{office.directory.file("queue.db"), *watch, office.clock, office.random};
    Site site{plans, token};

    base::HttpResponse
    ask(const std::string& path,
        const std::string& authorization = "Bearer " + token,
        const std::string& method = "GET") {
        base::HttpRequest request;
        request.method = method;
        request.path = path;
        if (!authorization.empty())
            request.headers.emplace_back("Authorization", authorization);
        return site.answer(request);
    }
};

std::string header(const base::HttpResponse& response, const std::string& name) {
    for (const auto& [key, value] : response.headers)
        if (key == name)
            return value;
    return "";
}

} // namespace

TEST_CASE("every path but health takes the token, in every form of its absence") {
    Desk desk;
    const std::vector<std::string> paths{
        "/",
        "/plans/" + desk.id,
        "/plans/nowhere",
        "/api/plans",
        "/api/plans/" + desk.id,
        "/brakes",
        "/api/brakes",
        "/style.css",
        "/nowhere",
        "/healthz/x",
        "/../healthz",
        ""};
    const std::vector<std::string> strangers{
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer " + token + "x",
        "Basic " + base::base64("user:wrong"),
        "Basic " + base::base64(token),
        "Digest x"};
    for (const auto& path : paths)
        for (const auto& stranger : strangers) {
            INFO(path << " with " << stranger);
            const auto response = desk.ask(path, stranger);
            CHECK(response.status == 401);
            CHECK(header(response, "WWW-Authenticate").starts_with("Basic realm="));
            CHECK(response.body.find(desk.id) == std::string::npos);
        }
    CHECK(desk.ask("/healthz", "").status == 200);
    CHECK(desk.ask("/healthz", "").body == "ok\n");
    CHECK(desk.ask("/", "Basic " + base::base64("me:" + token)).status == 200);
    // A desk without a token lets nobody in.
    const Site closed(desk.plans, "");
    base::HttpRequest request;
    request.method = "GET";
    request.path = "/";
    request.headers = {{"Authorization", "Bearer "}};
    CHECK(closed.answer(request).status == 401);
}

TEST_CASE("pages and JSON are where they are said to be") {
    Desk desk;
    CHECK(desk.ask("/").body.find("/plans/" + desk.id) != std::string::npos);
    CHECK(desk.ask("/plans/" + desk.id).body.find("What will run") != std::string::npos);
    CHECK(header(desk.ask("/"), "Content-Type") == "text/html; charset=utf-8");
    CHECK(header(desk.ask("/style.css"), "Content-Type") == "text/css; charset=utf-8");
    const auto list = desk.ask("/api/plans");
    CHECK(list.status == 200);
    CHECK(header(list, "Content-Type") == "application/json");
    CHECK(must(base::parse_json(list.body))["plans"][0]["id"] == desk.id);
    const auto one = desk.ask("/api/plans/" + desk.id);
    CHECK(must(base::parse_json(one.body))["id"] == desk.id);
}

TEST_CASE("what is stopped is told on the first page, and shown on its own") {
    Desk desk;
    CHECK(desk.ask("/").body.find("/brakes") == std::string::npos);
    CHECK(desk.ask("/brakes").body.find("Nothing is stopped.") != std::string::npos);
    approval::Brake brake;
    brake.kind = approval::BrakeKind::identity;
    brake.name = "os:alice";
    brake.origin = approval::BrakeOrigin::supervisor;
    brake.cause = "loop";
    brake.who = "interlock-server";
    brake.reason = "the same again and again";
    must(set_brake(
        *desk.office.store, desk.office.random, brake, R"([{"tool":"get_blocking","outcome":"ok"}])"
    ));
    CHECK(desk.ask("/").body.find("<a href=\"/brakes\">1 identity") != std::string::npos);
    const auto page = desk.ask("/brakes");
    CHECK(header(page, "Content-Type") == "text/html; charset=utf-8");
    CHECK(page.body.find("get_blocking") != std::string::npos);
    CHECK(page.body.find("interlock kill lift identity") != std::string::npos);
    CHECK(page.body.find("<form") == std::string::npos); // it cannot lift
    const auto listed = must(base::parse_json(desk.ask("/api/brakes").body));
    CHECK(listed["brakes"][0]["name"] == "os:alice");
    CHECK(listed["brakes"][0]["transcript"][0]["tool"] == "get_blocking");
}

TEST_CASE("what is not there is 404, what cannot be read now is 503") {
    Desk desk;
    for (const char* const path :
         {"/plans/plan_nowhere",
          "/plans/",
          "/nowhere",
          "/plans",
          "/api",
          "/api/plans/",
          "/api/plans/plan_nowhere",
          "/api/other",
          "/plans/%2e%2e",
          "/plans/<script>"}) {
        INFO(path);
        const auto response = desk.ask(path);
        CHECK(response.status == 404);
        CHECK(response.body.find("<script") == std::string::npos);
    }
    CHECK(header(desk.ask("/api/plans/x"), "Content-Type") == "application/json");
    const PlanSource absent(
        desk.office.directory.file("absent.db"), *desk.watch, desk.office.clock, desk.office.random
    );
    const Site site(absent, token);
    base::HttpRequest request;
    request.method = "GET";
    request.headers = {{"Authorization", "Bearer " + token}};
    for (const char* const path : {"/", "/api/plans", "/plans/x", "/api/plans/x"}) {
        request.path = path;
        CHECK(site.answer(request).status == 503);
    }
    request.path = "/healthz";
    CHECK(site.answer(request).status == 200);
}

TEST_CASE("only GET is served, and it changes nothing") {
    Desk desk;
    const auto leaves = desk.office.leaves();
    for (const char* const method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", ""})
        for (const std::string& path :
             {std::string("/"), "/plans/" + desk.id, std::string("/healthz")}) {
            const auto response = desk.ask(path, "Bearer " + token, method);
            CHECK(response.status == 405);
            CHECK(header(response, "Allow") == "GET");
        }
    for (const std::string& path :
         {std::string("/"),
          "/plans/" + desk.id,
          std::string("/api/plans"),
          "/api/plans/" + desk.id})
        (void)desk.ask(path);
    CHECK(desk.office.leaves() == leaves);
    CHECK(desk.office.state(desk.id) == approval::PlanState::pending);
}

TEST_CASE("every answer carries the safety headers") {
    Desk desk;
    const std::vector<std::pair<std::string, std::string>> wanted{
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
    };
    std::vector<base::HttpResponse> responses;
    for (const std::string& path :
         {std::string("/"),
          "/plans/" + desk.id,
          std::string("/plans/none"),
          std::string("/api/plans"),
          "/api/plans/" + desk.id,
          std::string("/style.css"),
          std::string("/healthz")})
        responses.push_back(desk.ask(path));
    responses.push_back(desk.ask("/", ""));
    responses.push_back(desk.ask("/", "", "POST"));
    for (const auto& response : responses)
        for (const auto& [name, value] : wanted) {
            INFO(response.status << " " << name);
            CHECK(header(response, name) == value);
        }
}

} // namespace interlock::desk
