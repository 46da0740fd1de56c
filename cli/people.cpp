#include "cli/people.hpp"

#include "approval/people.hpp"
#include "base/decode.hpp"
#include "base/file.hpp"
#include "base/yaml.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

base::Result<approval::ApproverKeys> read_approver_keys(
    const std::string& allowed_signers, const std::string& revoked_keys, const std::string& people
) {
    approval::ApproverKeys keys{allowed_signers, revoked_keys, {}};
    if (people.empty()) {
        return keys;
    }
    INTERLOCK_TRY(const std::string text, base::read_file(people, base::limits::yaml_bytes_max));
    INTERLOCK_TRY(const base::Json document, base::parse_yaml(text));
    base::Decoder root(document, "");
    keys.people = approval::read_people(root);
    INTERLOCK_CHECK(root.finish());
    return keys;
}

} // namespace interlock::cli
