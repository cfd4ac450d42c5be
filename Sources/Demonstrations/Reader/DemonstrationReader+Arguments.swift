import Contracts

extension DemonstrationReader {
    /// What the process that reads is told on its command line, after the verb.
    struct Arguments: Equatable {
        var path: String
        var split: Split
        var memoryBytes: Int
        /// The process that asks: the reader ends with it.
        var parent: Int32
        var declared: DemonstrationFiles.Declaration

        init(path: String, split: Split, memoryBytes: Int, parent: Int32, declared: DemonstrationFiles.Declaration)
            throws
        {
            // A command line ends a word at a NUL: the rest would not arrive.
            for (name, text) in [
                ("path", path), ("embodiment", declared.embodiment), ("instruction", declared.instruction),
            ]
            where text.utf8.contains(0) {
                throw ContractError(
                    "the \(name) of the demonstrations holds a NUL character (U+0000)",
                    hint: "remove it"
                )
            }
            (self.path, self.split, self.memoryBytes, self.parent, self.declared) = (
                path, split, memoryBytes, parent, declared
            )
        }

        /// Each word begins with its name, so that no text is taken for an option.
        var words: [String] {
            [
                "path=\(path)", "split=\(split.rawValue)", "memory=\(memoryBytes)", "parent=\(parent)",
                "embodiment=\(declared.embodiment)",
                "instruction=\(declared.instruction)", "control_hz=\(declared.controlHertz)",
            ]
        }

        /// `nil` where these are not ``words``.
        init?(_ words: [String]) {
            let names = ["path", "split", "memory", "parent", "embodiment", "instruction", "control_hz"]
            guard words.count == names.count else { return nil }
            var values: [String] = []
            for (name, word) in zip(names, words) {
                // By bytes: a text may begin with a mark that would make one character of it and the sign before it.
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
