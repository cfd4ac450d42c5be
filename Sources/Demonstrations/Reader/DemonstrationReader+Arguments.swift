import Contracts

extension DemonstrationReader {
    /// The arguments of the reader process after the verb.
    struct Arguments: Equatable {
        var path: String
        var split: Split
        var memoryBytes: Int
        /// The process that started the reader; the reader ends when it ends.
        var parent: Int32
        var declared: DemonstrationFiles.Declaration

        init(path: String, split: Split, memoryBytes: Int, parent: Int32, declared: DemonstrationFiles.Declaration)
            throws
        {
            // An argument of a process ends at its first NUL: the rest would be lost.
            for (name, text) in [
                ("path", path), ("embodiment", declared.embodiment), ("instruction", declared.instruction),
            ]
            where text.utf8.contains(0) {
                throw ContractError(
                    "the \(name) of the demonstrations contains a NUL character (U+0000)",
                    hint: "remove it"
                )
            }
            (self.path, self.split, self.memoryBytes, self.parent, self.declared) = (
                path, split, memoryBytes, parent, declared
            )
        }

        /// The arguments. Each starts with its name, so that no text can be taken for an option.
        var words: [String] {
            [
                "path=\(path)", "split=\(split.rawValue)", "memory=\(memoryBytes)", "parent=\(parent)",
                "embodiment=\(declared.embodiment)",
                "instruction=\(declared.instruction)", "control_hz=\(declared.controlHertz)",
            ]
        }

        /// Parses ``words``; `nil` if they are not valid.
        init?(_ words: [String]) {
            let names = ["path", "split", "memory", "parent", "embodiment", "instruction", "control_hz"]
            guard words.count == names.count else { return nil }
            var values: [String] = []
            for (name, word) in zip(names, words) {
                // Compared by bytes: if a text starts with a combining mark, the mark and "=" are one character.
                let label = Array("\(name)=".utf8)
                guard word.utf8.starts(with: label) else { return nil }
                values.append(String(decoding: word.utf8.dropFirst(label.count), as: UTF8.self))
            }
            guard let split = Split(rawValue: values[1]), let memory = Int(values[2]), memory > 0,
                let parent = Int32(values[3]),
                let hertz = Double(values[6])
            else { return nil }
            (path, self.split, memoryBytes, self.parent) = (values[0], split, memory, parent)
            declared = .init(embodiment: values[4], instruction: values[5], controlHertz: hertz)
        }
    }
}
