#include "approval/desk/pages.hpp"

#include "base/text.hpp"

namespace interlock::desk {

namespace {

/// Foreign text for an element or a quoted attribute: no markup, no controls, no hidden characters.
std::string text(std::string_view foreign) {
    return base::escape_html(base::sanitize(foreign, /*keep_newlines=*/true));
}

std::string page(std::string_view title, const std::string& body) {
    return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<title>" +
           text(title) +
           "</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n"
           "<header><a href=\"/\">Interlock desk</a></header>\n<main>\n" +
           body + "</main>\n</body>\n</html>\n";
}

std::string heading(const PlanView& view) {
    if (!view.plan)
        return "unreadable plan";
    return text(view.plan->runbook) + " on " + text(view.plan->target.target);
}

std::string state_badge(const PlanView& view) {
    const std::string name = approval::name(view.stored.state);
    return "<span class=\"state " + base::lower_ascii(name) + "\">" + name + "</span>";
}

std::string approvals_of(const PlanView& view) {
    if (!view.plan)
        return std::to_string(view.approvals);
    const auto needs = approval::required_approvals(*view.plan);
    return std::to_string(view.approvals) + " of " + std::to_string(needs.approvals) + " (" +
           runbooks::name(needs.assurance) + ")";
}

std::string row(std::string_view label, const std::string& value_html) {
    return "<tr><th>" + std::string(label) + "</th><td>" + value_html + "</td></tr>\n";
}

std::string facts(const PlanView& view) {
    const approval::StoredPlan& stored = view.stored;
    std::string requesters;
    for (const auto& each : stored.requesters)
        requesters += (requesters.empty() ? "" : ", ") + text(each);
    std::string out = "<table class=\"facts\">\n";
    out += row("state", state_badge(view) + " " + text(stored.state_reason));
    out += row("plan", "<code>" + text(stored.id) + "</code>");
    out += row("digest", "<code>" + view.digest + "</code>");
    if (view.plan) {
        out += row("risk", text(view.plan->risk));
        out += row("reversibility", runbooks::name(view.plan->reversibility));
    }
    out += row("requested by", requesters + " with " + text(stored.requester_client));
    out += row("requested at", text(stored.created_at));
    if (!stored.expires_at.empty())
        out += row("expires at", text(stored.expires_at));
    out += row("approvals", approvals_of(view));
    return out + "</table>\n";
}

std::string decisions(const PlanView& view) {
    if (view.stored.decisions.empty())
        return "<p>Nobody has decided yet.</p>\n";
    std::string out = "<table>\n<tr><th>who</th><th>verdict</th><th>reason</th><th>assurance</th>"
                      "<th>key</th><th>recorded at</th></tr>\n";
    for (const auto& each : view.stored.decisions)
        out += "<tr><td>" + text(each.statement.approver) + "</td><td>" +
               approval::name(each.statement.verdict) + "</td><td>" + text(each.statement.reason) +
               "</td><td>" + text(each.assurance) + "</td><td><code>" + text(each.key_fingerprint) +
               "</code></td><td>" + text(each.recorded_at) + "</td></tr>\n";
    return out + "</table>\n";
}

std::string list_of(const std::vector<std::string>& items) {
    std::string out = "<ul>\n";
    for (const auto& item : items)
        out += "<li>" + text(item) + "</li>\n";
    return out + "</ul>\n";
}

/// What the agent wrote, in a box that says so: a person must never take it for the script.
std::string agent_words(const PlanView& view) {
    const runbooks::Presentation& said = view.presentation;
    std::string out =
        "<section class=\"agent\">\n<h2>What the agent wrote</h2>\n"
        "<p class=\"note\">Nobody has checked these words, and none of them is executed.</p>\n"
        "<p class=\"title\">" +
        text(said.title) + "</p>\n<p class=\"words\">" + text(said.hypothesis) + "</p>\n";
    if (!said.incident.empty())
        out += "<p>Incident: <code>" + text(said.incident) + "</code></p>\n";
    if (!said.evidence.empty())
        out += "<p>Evidence it names:</p>\n" + list_of(said.evidence);
    return out + "</section>\n";
}

std::string how_to_decide(const PlanView& view) {
    if (!approval::is_open(view.stored.state) || !view.intact || !view.plan)
        return "";
    const std::string id = text(view.stored.id);
    return "<section>\n<h2>How to decide</h2>\n"
           "<p>This page cannot decide. At a shell, with your own SSH key:</p>\n<pre>"
           "interlock plans show " +
           id + "\ninterlock plans approve " + id + "\ninterlock plans reject " + id +
           " --reason '...'\ninterlock plans revoke " + id +
           " --reason '...'</pre>\n<p>The digest that you sign must be the one above.</p>\n"
           "</section>\n";
}

std::string script(const PlanView& view) {
    if (!view.plan)
        return "<p class=\"alarm\">The stored bytes are not a plan. Do not approve it.</p>\n";
    return "<section>\n<h2>What will run</h2>\n"
           "<p class=\"note\">Made from the plan's exact bytes; the digest covers every one of "
           "them.</p>\n<pre class=\"script\">" +
           base::escape_html(base::escape_non_ascii(view.rendered)) +
           "</pre>\n<h3>What the planner expects it to touch</h3>\n"
           "<p class=\"note\">A summary beside the script; the script is what counts.</p>\n" +
           list_of(view.presentation.blast_radius) + "</section>\n";
}

std::string alarm(const PlanView& view) {
    if (view.intact)
        return "";
    return "<p class=\"alarm\">The stored bytes are not those that were submitted (their digest "
           "was <code>" +
           text(view.stored.digest) +
           "</code>). Do not approve this plan; tell whoever runs the queue.</p>\n";
}

std::string transcript(const BrakeView& view) {
    if (view.transcript.empty())
        return "";
    std::string out = "<h3>Its last calls</h3>\n<table>\n<tr><th>at</th><th>tool</th>"
                      "<th>arguments, masked</th><th>outcome</th></tr>\n";
    for (const TranscriptEntry& line : view.transcript)
        out += "<tr><td>" + text(line.at) + "</td><td>" + text(line.tool) + "</td><td><code>" +
               text(line.arguments) + "</code></td><td>" + text(line.outcome) + "</td></tr>\n";
    return out + "</table>\n";
}

std::string section(const BrakeView& view) {
    const approval::Brake& brake = view.brake;
    std::string out = "<section>\n<h2>" + std::string(approval::name(brake.kind)) + " " +
                      text(brake.name) + "</h2>\n<table class=\"facts\">\n";
    if (!brake.issuer.empty())
        out += row("issuer", text(brake.issuer));
    out +=
        row("stopped by", text(brake.who) + (brake.cause.empty() ? "" : ", " + text(brake.cause)));
    out += row("because", text(brake.reason));
    out += row("at", text(brake.at));
    out += row("audit leaf", std::to_string(brake.leaf));
    return out + "</table>\n" + transcript(view) +
           "<p>Only a person lifts it, at a shell:</p>\n<pre>" + text(lift_command(brake)) +
           "</pre>\n</section>\n";
}

} // namespace

std::string brakes_page(const std::vector<BrakeView>& brakes) {
    std::string body = "<h1>Stopped</h1>\n";
    if (brakes.empty())
        body += "<p>Nothing is stopped.</p>\n";
    for (auto view = brakes.rbegin(); view != brakes.rend(); ++view) // the latest first
        body += section(*view);
    return page("Stopped", body);
}

std::string
queue_page(const std::vector<PlanView>& plans, std::size_t not_shown, std::size_t brakes) {
    std::string body;
    if (brakes > 0)
        body += "<p class=\"alarm\"><a href=\"/brakes\">" + std::to_string(brakes) +
                (brakes == 1 ? " identity, tool or target is stopped"
                             : " identities, tools or targets are stopped") +
                "</a></p>\n";
    body += "<h1>Plans</h1>\n";
    if (plans.empty())
        return page("Plans", body + "<p>The queue is empty.</p>\n");
    body += "<table>\n<tr><th>state</th><th>plan</th><th>risk</th><th>requested by</th>"
            "<th>approvals</th><th>expires at</th></tr>\n";
    for (const auto& view : plans)
        body += "<tr><td>" + state_badge(view) + "</td><td><a href=\"/plans/" +
                text(view.stored.id) + "\">" + heading(view) + "</a><br><code>" +
                view.digest.substr(0, 16) + "</code></td><td>" +
                (view.plan ? text(view.plan->risk) : "") + "</td><td>" +
                text(view.stored.requester) + "</td><td>" + approvals_of(view) + "</td><td>" +
                text(view.stored.expires_at) + "</td></tr>\n";
    body += "</table>\n";
    if (not_shown > 0)
        body += "<p class=\"note\">" + std::to_string(not_shown) +
                " not shown. What waits for people comes first; list the others with "
                "<code>interlock plans list --all</code>.</p>\n";
    return page("Plans", body);
}

std::string plan_page(const PlanView& view) {
    return page(
        view.stored.id,
        "<h1>" + heading(view) + "</h1>\n" + alarm(view) + facts(view) + script(view) +
            agent_words(view) + "<section>\n<h2>Decisions</h2>\n" + decisions(view) +
            "</section>\n" + how_to_decide(view)
    );
}

std::string error_page(const base::Error& error) {
    return page(
        "Interlock desk", "<h1>" + text(error.what) + "</h1>\n<p>" + text(error.remedy) + "</p>\n"
    );
}

const std::string_view style_sheet = R"css(:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
header, main { max-width: 70rem; margin: 0 auto; padding: 1rem; }
header a { font-weight: 600; color: inherit; text-decoration: none; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; }
th, td { border-bottom: 1px solid #8886; }
.facts th { width: 10rem; font-weight: 500; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
pre { padding: 1rem; border: 1px solid #8888; border-radius: .3rem; white-space: pre-wrap; }
.script { border-left: .3rem solid #c60; }
.agent { border: 2px dashed #8888; border-radius: .3rem; padding: 0 1rem 1rem; margin: 1.5rem 0; }
.agent .title { font-weight: 600; }
.words { white-space: pre-wrap; overflow-wrap: anywhere; }
.note { opacity: .75; margin-top: 0; }
.state { font-weight: 600; padding: .1rem .4rem; border: 1px solid #8888; border-radius: .3rem; }
.state.pending { border-color: #c60; color: #c60; }
.state.approved, .state.succeeded { border-color: #284; color: #284; }
.state.needs_human, .state.in_doubt, .state.hold { border-color: #c22; color: #c22; }
.alarm { border: 2px solid #c22; padding: .6rem 1rem; font-weight: 600; }
)css";

} // namespace interlock::desk
