// find_tools: which tools answer an intent, and why. Knows what people say on call, and counts
// words that the tools' own declarations say; no model, no index, the same answer every time.
#include "tools/find_tools.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tools/catalog.hpp"
#include "tools/schema.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Json;

constexpr std::string_view tool_name = "find_tools";
constexpr std::size_t intent_words_max = 40;
constexpr std::size_t intent_logged_chars = 200;

// Where a word stands says how much it means.
constexpr int name_weight = 8;
constexpr int title_weight = 6;
constexpr int summary_weight = 4;
constexpr int input_weight = 2;
constexpr int about_weight = 1;
// What people say on call, in one word that means more than one thing, in one or two that mean one,
// or in a whole sentence. Even the least outweighs any words that tools happen to say together.
constexpr int single_weight = 150;
constexpr int saying_weight = 300;
constexpr int sentence_weight = 600;

/// Words that say nothing about which tool is meant.
constexpr std::array<std::string_view, 62> empty_words{
    "a",    "about", "all",  "an",   "and",   "any",   "are",  "as",   "at",  "be",   "by",
    "can",  "did",   "do",   "does", "find",  "first", "for",  "from", "get", "give", "has",
    "have", "how",   "i",    "in",   "is",    "it",    "its",  "list", "me",  "my",   "need",
    "of",   "on",    "one",  "only", "or",    "our",   "out",  "show", "so",  "than", "that",
    "the",  "their", "them", "then", "there", "they",  "this", "to",   "too", "tool", "want",
    "was",  "we",    "what", "when", "which", "who",   "with"};

struct Meaning {
    std::string_view said;
    std::array<std::string_view, 4> means; // words that declarations use
};
/// What people say, in the words of the declarations.
constexpr std::array meanings{
    Meaning{"alert", {"diagnose", "incident"}},
    Meaning{"archive", {"log", "replication"}},
    Meaning{"bloat", {"vacuum", "table", "index"}},
    Meaning{"broken", {"diagnose", "log"}},
    Meaning{"buffer", {"io", "cache"}},
    Meaning{"cache", {"io", "buffer"}},
    Meaning{"cancel", {"plan", "runbook"}},
    Meaning{"cause", {"diagnose"}},
    Meaning{"checkpoint", {"io", "log", "wal"}},
    Meaning{"column", {"schema"}},
    Meaning{"config", {"setting"}},
    Meaning{"configuration", {"setting"}},
    Meaning{"cpu", {"statement", "session"}},
    Meaning{"crash", {"log"}},
    Meaning{"database", {"target"}},
    Meaning{"ddl", {"schema", "blocking"}},
    Meaning{"deadlock", {"log", "blocking", "lock"}},
    Meaning{"disk", {"io", "table", "vacuum"}},
    Meaning{"down", {"target", "log", "diagnose"}},
    Meaning{"error", {"log"}},
    Meaning{"fatal", {"log"}},
    Meaning{"fix", {"plan", "runbook"}},
    Meaning{"freeze", {"vacuum"}},
    Meaning{"hang", {"blocking", "lock", "diagnose"}},
    Meaning{"idle", {"session", "activity"}},
    Meaning{"kill", {"plan", "runbook"}},
    Meaning{"lag", {"replication"}},
    Meaning{"load", {"statement", "session", "diagnose"}},
    Meaning{"lock", {"blocking"}},
    Meaning{"memory", {"setting", "io"}},
    Meaning{"outage", {"diagnose", "incident", "log"}},
    Meaning{"panic", {"log"}},
    Meaning{"parameter", {"setting"}},
    Meaning{"performance", {"statement", "explain", "diagnose"}},
    Meaning{"plan", {"explain"}},
    Meaning{"pool", {"connection", "session"}},
    Meaning{"problem", {"diagnose"}},
    Meaning{"process", {"session", "activity"}},
    Meaning{"query", {"statement", "explain", "sql"}},
    Meaning{"repair", {"plan", "runbook"}},
    Meaning{"replica", {"replication"}},
    Meaning{"restart", {"log", "plan", "runbook"}},
    Meaning{"root", {"diagnose"}},
    Meaning{"scan", {"table", "index", "explain"}},
    Meaning{"slot", {"replication"}},
    Meaning{"slow", {"statement", "explain", "diagnose"}},
    Meaning{"space", {"table", "vacuum", "index"}},
    Meaning{"sql", {"query", "statement"}},
    Meaning{"standby", {"replication"}},
    Meaning{"structure", {"schema"}},
    Meaning{"stuck", {"blocking", "lock", "session"}},
    Meaning{"terminate", {"plan", "runbook"}},
    Meaning{"timeout", {"log", "setting", "session"}},
    Meaning{"transaction", {"session", "blocking", "vacuum"}},
    Meaning{"unused", {"index"}},
    Meaning{"wait", {"blocking", "session"}},
    Meaning{"wal", {"replication", "io"}},
    Meaning{"wraparound", {"vacuum"}},
    Meaning{"wrong", {"diagnose"}},
    Meaning{"xid", {"vacuum"}}};

/// What people say on call, and the tool that they mean: all of the words, in any order. It weighs
/// more than words that a tool happens to say.
struct Saying {
    std::array<std::string_view, 3> words; // as said; compared by their stems
    std::string_view tool;
    int weight = saying_weight;
};
constexpr std::array sayings{// What is going on
                             Saying{{"slow"}, "diagnose", single_weight},
                             Saying{{"everything", "slow"}, "diagnose"},
                             Saying{{"incident"}, "get_incident", single_weight},
                             Saying{{"hand", "over"}, "get_incident"},
                             Saying{{"handover"}, "get_incident", single_weight},
                             Saying{{"situation"}, "get_incident", single_weight},
                             Saying{{"recent", "change"}, "get_incident"},
                             Saying{{"what", "changed"}, "get_incident"},
                             Saying{{"database", "look"}, "list_targets"},
                             Saying{{"server", "reachable"}, "list_targets"},
                             Saying{{"database", "down"}, "list_targets"},
                             // Queries
                             Saying{{"why", "query", "slow"}, "explain_query", sentence_weight},
                             Saying{{"why", "statement", "slow"}, "explain_query", sentence_weight},
                             Saying{{"execution", "plan"}, "explain_query"},
                             Saying{{"plan", "query"}, "explain_query"},
                             Saying{{"plan", "changed"}, "explain_query", sentence_weight},
                             Saying{{"query", "slow"}, "get_statements"},
                             Saying{{"slowest"}, "get_statements"},
                             Saying{{"statement", "slow"}, "get_statements"},
                             Saying{{"cpu"}, "get_statements"},
                             Saying{{"top", "query"}, "get_statements"},
                             Saying{{"expensive", "query"}, "get_statements"},
                             Saying{{"n", "plus"}, "get_statements"},
                             Saying{{"same", "query", "often"}, "get_statements", sentence_weight},
                             Saying{{"run", "select"}, "run_query"},
                             Saying{{"run", "sql"}, "run_query"},
                             Saying{{"count", "rows"}, "run_query"},
                             // Locks
                             Saying{{"stuck"}, "get_blocking"},
                             Saying{{"hang"}, "get_blocking"},
                             Saying{{"hung"}, "get_blocking"},
                             Saying{{"frozen"}, "get_blocking"},
                             Saying{{"block"}, "get_blocking"},
                             Saying{{"blocker"}, "get_blocking"},
                             Saying{{"lock"}, "get_blocking", single_weight},
                             Saying{{"alter", "table"}, "get_blocking"},
                             Saying{{"migration"}, "get_blocking", single_weight},
                             Saying{{"prepared", "transaction"}, "get_blocking"},
                             Saying{{"deadlock"}, "read_logs"},
                             // Sessions
                             Saying{{"idle", "transaction"}, "get_activity"},
                             Saying{{"long", "transaction"}, "get_activity"},
                             Saying{{"long", "running"}, "get_activity"},
                             Saying{{"oldest", "transaction"}, "get_activity"},
                             Saying{{"wait", "event"}, "get_activity"},
                             Saying{{"progress"}, "get_activity"},
                             Saying{{"how", "far"}, "get_activity"},
                             Saying{{"running", "now"}, "get_activity"},
                             Saying{{"stored", "procedure"}, "get_activity"},
                             // Connections
                             Saying{{"many", "clients"}, "get_connections"},
                             Saying{{"many", "connections"}, "get_connections"},
                             Saying{{"connection", "slot"}, "get_connections", sentence_weight},
                             Saying{{"connection", "leak"}, "get_connections"},
                             Saying{{"connection", "refused"}, "get_connections"},
                             Saying{{"connection", "exhausted"}, "get_connections"},
                             Saying{{"max", "connections"}, "get_connections"},
                             Saying{{"pool"}, "get_connections"},
                             Saying{{"pooler"}, "get_connections"},
                             Saying{{"pgbouncer"}, "get_connections"},
                             Saying{{"tls"}, "get_connections"},
                             Saying{{"ssl"}, "get_connections"},
                             Saying{{"unencrypted"}, "get_connections"},
                             // Disk, cache, WAL
                             Saying{{"disk", "full"}, "get_io"},
                             Saying{{"disk", "space"}, "get_io"},
                             Saying{{"disk", "filling"}, "get_io"},
                             Saying{{"no", "space", "left"}, "get_io", sentence_weight},
                             Saying{{"database", "size"}, "get_io"},
                             Saying{{"storage"}, "get_io"},
                             Saying{{"cache", "hit"}, "get_io"},
                             Saying{{"checkpoint"}, "get_io"},
                             Saying{{"archive"}, "get_io"},
                             Saying{{"archiver"}, "get_io"},
                             Saying{{"archived"}, "get_io"},
                             Saying{{"backup"}, "get_io"},
                             Saying{{"temp", "file"}, "get_io"},
                             Saying{{"temporary", "file"}, "get_io"},
                             Saying{{"iops"}, "get_io"},
                             Saying{{"disk", "slow"}, "get_io"},
                             // Tables, indexes, vacuum
                             Saying{{"bloat"}, "get_tables"},
                             Saying{{"bloat", "index"}, "get_indexes", sentence_weight},
                             Saying{{"largest", "table"}, "get_tables"},
                             Saying{{"biggest", "table"}, "get_tables"},
                             Saying{{"table", "size"}, "get_tables"},
                             Saying{{"statistics"}, "get_tables", single_weight},
                             Saying{{"stale"}, "get_tables"},
                             Saying{{"sequence"}, "get_tables"},
                             Saying{{"primary", "key"}, "get_tables"},
                             Saying{{"index"}, "get_indexes"},
                             Saying{{"autovacuum"}, "get_vacuum"},
                             Saying{{"vacuum"}, "get_vacuum"},
                             Saying{{"wraparound"}, "get_vacuum"},
                             Saying{{"dead", "rows"}, "get_vacuum"},
                             Saying{{"dead", "tuples"}, "get_vacuum"},
                             Saying{{"xmin"}, "get_vacuum"},
                             Saying{{"freeze"}, "get_vacuum"},
                             Saying{{"column"}, "describe_schema"},
                             Saying{{"foreign", "key"}, "describe_schema", single_weight},
                             Saying{{"definition"}, "describe_schema"},
                             // Replication
                             Saying{{"replication"}, "get_replication"},
                             Saying{{"replica"}, "get_replication"},
                             Saying{{"standby"}, "get_replication"},
                             Saying{{"lag"}, "get_replication"},
                             Saying{{"slot"}, "get_replication"},
                             Saying{{"subscription"}, "get_replication"},
                             Saying{{"publication"}, "get_replication"},
                             Saying{{"failover"}, "get_replication"},
                             Saying{{"conflict", "recovery"}, "get_replication", sentence_weight},
                             // Settings and logs
                             Saying{{"configuration"}, "get_settings"},
                             Saying{{"config"}, "get_settings"},
                             Saying{{"parameter"}, "get_settings"},
                             Saying{{"setting"}, "get_settings"},
                             Saying{{"postgresql", "conf"}, "get_settings"},
                             Saying{{"pending", "restart"}, "get_settings"},
                             Saying{{"work", "mem"}, "get_settings"},
                             Saying{{"memory"}, "get_settings"},
                             Saying{{"extension"}, "get_settings"},
                             Saying{{"version"}, "get_settings"},
                             Saying{{"error"}, "read_logs"},
                             Saying{{"crash"}, "read_logs"},
                             Saying{{"corrupt"}, "read_logs"},
                             Saying{{"corruption"}, "read_logs"},
                             Saying{{"out", "memory"}, "read_logs", sentence_weight},
                             Saying{{"oom"}, "read_logs"},
                             Saying{{"login", "fail"}, "read_logs"},
                             Saying{{"password"}, "read_logs"},
                             Saying{{"authentication"}, "read_logs"},
                             // What people do about it
                             Saying{{"kill"}, "list_runbooks"},
                             Saying{{"terminate"}, "list_runbooks"},
                             Saying{{"cancel"}, "list_runbooks", single_weight},
                             Saying{{"fix"}, "list_runbooks"},
                             Saying{{"runbook"}, "list_runbooks"},
                             Saying{{"remedy"}, "list_runbooks"},
                             Saying{{"propose"}, "propose_plan"},
                             Saying{{"approval"}, "get_plan"},
                             Saying{{"plan", "approved"}, "get_plan", sentence_weight},
                             Saying{{"withdraw"}, "withdraw_plan"}};

/// Words of one kind fall together: locks, locked, locking.
std::string stem(std::string word) {
    const auto cut = [&](std::string_view ending, std::size_t left_min) {
        if (word.size() >= ending.size() + left_min && word.ends_with(ending)) {
            word.resize(word.size() - ending.size());
            return true;
        }
        return false;
    };
    if (!word.ends_with("ss")) {
        (void
        )(cut("ies", 3)   ? (word += 'y', true)
          : cut("xes", 2) ? (word += 'x', true)
                          : cut("s", 3));
    }
    (void)(cut("ing", 3) || cut("ed", 3));
    return word;
}

enum class Words { telling, all };

/// Stems of a text, in order, each once; those of empty words where all are wanted.
std::vector<std::string> stems_of(std::string_view text, Words words = Words::telling) {
    std::vector<std::string> out;
    std::string word;
    const auto finish = [&] {
        const bool empty =
            words == Words::telling &&
            (word.size() < 2 ||
             std::find(empty_words.begin(), empty_words.end(), word) != empty_words.end());
        if (!word.empty() && !empty) {
            word = stem(std::move(word));
            if (std::find(out.begin(), out.end(), word) == out.end()) {
                out.push_back(word);
            }
        }
        word.clear();
    };
    for (const char c : base::lower_ascii(text)) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            word += c;
        } else {
            finish();
        }
    }
    finish();
    return out;
}

/// Where a tool says a word, at its weightiest place.
struct Said {
    int weight = 0;
    std::string_view where;
};
using Vocabulary = std::map<std::string, Said, std::less<>>;

Vocabulary vocabulary_of(const Tool& tool) {
    Vocabulary out;
    const auto learn = [&](std::string_view text, int weight, std::string_view where) {
        for (std::string& word : stems_of(text)) {
            out.try_emplace(std::move(word), Said{weight, where}); // weightier ones came first
        }
    };
    learn(tool.name, name_weight, "name");
    learn(tool.title, title_weight, "title");
    learn(tool.summary, summary_weight, "summary");
    for (const Input& input : tool.inputs) {
        learn(input.name, input_weight, "inputs");
        for (const std::string_view choice : input.choices) {
            learn(choice, input_weight, "inputs");
        }
    }
    for (const Input& input : tool.inputs) {
        learn(input.about, about_weight, "inputs");
    }
    return out;
}

/// A word of the intent, or what it means; `said` is what stood in the intent.
struct Wanted {
    std::string word;
    std::string said;
};

std::vector<Wanted> wanted_words(std::string_view intent) {
    std::vector<Wanted> out;
    std::vector<std::string> said = stems_of(intent);
    said.resize(std::min(said.size(), intent_words_max));
    for (const std::string& word : said) {
        out.push_back({word, word});
        for (const Meaning& meaning : meanings) {
            for (const std::string_view other : meaning.means) {
                if (!other.empty() && stem(std::string{meaning.said}) == word) {
                    out.push_back({stem(std::string{other}), word});
                }
            }
        }
    }
    return out;
}

/// How much of what people say on call means this tool; `why` is told it.
int said_for(const Tool& tool, const std::vector<std::string>& intent, std::string& why) {
    int weight = 0;
    for (const Saying& saying : sayings) {
        std::string words;
        const bool said =
            saying.tool == tool.name &&
            std::all_of(saying.words.begin(), saying.words.end(), [&](auto word) {
                words += (words.empty() || word.empty() ? "" : " ") + std::string{word};
                return word.empty() ||
                       std::find(intent.begin(), intent.end(), stem(std::string{word})) !=
                           intent.end();
            });
        if (said) {
            weight += saying.weight;
            why += (why.empty() ? "" : ", ") + std::string{"what people mean by "} + words;
        }
    }
    return weight;
}

/// A word that few tools say tells more.
int rarity(std::size_t tools_saying, std::size_t tools) {
    return tools_saying <= 1           ? 4
           : tools_saying * 6 <= tools ? 3
           : tools_saying * 2 <= tools ? 2
                                       : 1;
}

Json schema_of(const Tool& tool) {
    return Json::parse(input_schema(tool));
}

/// "get_blocking(target?, view?)": what may be left out has a question mark.
std::string signature(const Tool& tool) {
    std::string out{tool.name};
    out += '(';
    for (const Input& input : tool.inputs) {
        out +=
            (out.back() == '(' ? "" : ", ") + std::string{input.name} + (input.required ? "" : "?");
    }
    return out + ')';
}

std::string output_schema() {
    static const std::string schema = output_schema_of(
        R"({"tools":{"type":"array","items":{"type":"object","properties":{)"
        R"("name":{"type":"string"},"domain":{"type":"string"},"summary":{"type":"string"},)"
        R"("why":{"type":"string"},"score":{"type":"integer"},"listed":{"type":"boolean"},)"
        R"("input_schema":{"type":"object"}},"required":["name","domain","summary","why","score",)"
        R"("listed","input_schema"]}},)"
        R"("elsewhere":{"type":"array","description":"In toolsets that were not chosen",)"
        R"("items":{"type":"object","properties":{"name":{"type":"string"},)"
        R"("domain":{"type":"string"}},"required":["name","domain"]}},)"
        R"("domains":{"type":"object","additionalProperties":{"type":"array",)"
        R"("items":{"type":"string"}}}})",
        {"tools", "elsewhere", "domains"}
    );
    return schema;
}

Json domains_of(const std::vector<Tool>& tools) {
    Json domains = Json::object();
    for (const Tool& tool : tools) {
        domains[std::string{tool.domain}].push_back(tool.name);
    }
    return domains;
}

/// What else answers the intent, in toolsets that this session did not choose: how to get it.
void tell_elsewhere(
    const std::vector<Tool>& others, const std::string& intent, Json& structured, std::string& text
) {
    std::string toolsets;
    for (const FoundTool& each : match_tools(others, intent)) {
        const std::string domain{each.tool->domain};
        structured["elsewhere"].push_back({{"name", each.tool->name}, {"domain", domain}});
        text += (toolsets.empty() ? "\nNot in this session's toolsets: " : ", ") +
                std::string{each.tool->name} + " (" + domain + ")";
        toolsets += domain;
    }
    if (!toolsets.empty()) {
        text += ". Whoever set up this connection can add the toolset: ?toolsets= on the URL, "
                "--toolsets with stdio.";
    }
}

Output
answer(const std::vector<Tool>& tools, const std::vector<Tool>& others, const std::string& intent) {
    const auto found = match_tools(tools, intent);
    Json structured{
        {"tools", Json::array()}, {"elsewhere", Json::array()}, {"domains", domains_of(tools)}};
    std::string text = found.empty() ? "No tool says any of these words. All tools by domain:"
                                     : "Tools for this intent, best first:";
    std::string names;
    bool unlisted = false;
    for (const FoundTool& each : found) {
        structured["tools"].push_back(
            {{"name", each.tool->name},
             {"domain", each.tool->domain},
             {"summary", each.tool->summary},
             {"why", each.why},
             {"score", each.score},
             {"listed", !each.tool->on_demand},
             {"input_schema", schema_of(*each.tool)}}
        );
        text += "\n- " + signature(*each.tool) + " [" + std::string{each.tool->domain} +
                (each.tool->on_demand ? ", not listed" : "") + "] " +
                std::string{each.tool->summary} + " Why: " + each.why + ".";
        names += (names.empty() ? "" : ",") + std::string{each.tool->name};
        unlisted = unlisted || each.tool->on_demand;
    }
    if (unlisted) {
        text += "\nWhat is not listed is called by its name all the same, with the arguments that "
                "its input_schema here says. For a client that calls listed tools only, choose "
                "toolsets (all are listed then): ?toolsets= on the URL, --toolsets with stdio.";
    }
    if (found.empty()) {
        for (const auto& [domain, members] : structured["domains"].items()) {
            text += "\n- " + domain + ":";
            for (const Json& name : members) {
                text += " " + name.get<std::string>();
            }
        }
    }
    tell_elsewhere(others, intent, structured, text);
    // What people look for and do not find is what this server lacks.
    base::log_info(
        "tools.found",
        {{"intent", base::cut_middle(telemetry::safe_text(intent), intent_logged_chars)},
         {"tools", names}}
    );
    return {.structured = base::render_json(structured), .text = std::move(text)};
}

} // namespace

std::vector<FoundTool> match_tools(const std::vector<Tool>& tools, std::string_view intent) {
    std::vector<Vocabulary> vocabularies;
    std::map<std::string, std::size_t, std::less<>> saying;
    for (const Tool& tool : tools) {
        vocabularies.push_back(vocabulary_of(tool));
        for (const auto& [word, said] : vocabularies.back()) {
            ++saying[word];
        }
    }
    const std::vector<Wanted> wanted = wanted_words(intent);
    std::vector<std::string> all_words = stems_of(intent, Words::all);
    all_words.resize(std::min(all_words.size(), intent_words_max));
    std::vector<FoundTool> found;
    for (std::size_t i = 0; i < tools.size(); ++i) {
        FoundTool each{.tool = &tools[i], .score = 0, .why = {}};
        each.score = said_for(tools[i], all_words, each.why);
        std::set<std::string> counted;
        for (const Wanted& want : wanted) {
            const auto said = vocabularies[i].find(want.word);
            if (tools[i].name == tool_name || said == vocabularies[i].end() ||
                !counted.insert(want.word).second) {
                continue;
            }
            const bool meant = want.word != want.said;
            const int worth = said->second.weight * rarity(saying[want.word], tools.size());
            each.score += meant ? worth : 2 * worth;
            each.why += (each.why.empty() ? "" : ", ") + std::string{said->second.where} +
                        " says " + want.word + (meant ? " (for " + want.said + ")" : "");
        }
        if (each.score > 0) {
            found.push_back(std::move(each));
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const FoundTool& a, const FoundTool& b) {
        return a.score > b.score;
    });
    found.resize(std::min(found.size(), base::limits::tools_found_max));
    return found;
}

Tool find_tools_among(
    std::shared_ptr<const std::vector<Tool>> tools, std::shared_ptr<const std::vector<Tool>> others
) {
    Tool tool = find_tools();
    tool.run = [tools = std::move(tools),
                others = std::move(others)](Context&, const Call& call) -> base::Result<Output> {
        const std::vector<Tool> none;
        return answer(*tools, others ? *others : none, call.arguments.text("intent"));
    };
    return tool;
}

Tool find_tools() {
    return {
        .name = tool_name,
        .title = "Find tools",
        .summary = "Finds tools for an intent, with why and how to call them; some are not in "
                   "this list until found.",
        .domain = "orientation",
        .inputs =
            {{.name = "intent",
              .required = true,
              .about = "What you want to know or do.",
              .length_max = 300,
              .example = "who holds the lock on orders"}},
        .output_schema = output_schema,
        .run = [](Context&, const Call& call) -> base::Result<Output> {
            return answer(catalog(), {}, call.arguments.text("intent"));
        }};
}

} // namespace interlock::tools
