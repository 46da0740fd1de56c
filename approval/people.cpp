#include "approval/people.hpp"

namespace interlock::approval {

std::vector<std::vector<std::string>> read_people(base::Decoder& decoder) {
    std::vector<std::vector<std::string>> people;
    for (base::Decoder& person : decoder.mappings("people")) {
        std::vector<std::string> subjects{person.text("name")};
        for (std::string& subject : person.texts("subjects")) {
            subjects.push_back(std::move(subject));
        }
        people.push_back(std::move(subjects));
    }
    return people;
}

} // namespace interlock::approval
