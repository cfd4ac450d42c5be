import ArgumentParser

/// A suggestion for a user who typed the name of a command that does not exist.
struct CommandSuggestion {
    let message: String
    let hint: String

    /// `nil` if all names are existing commands; the parser checks the rest.
    init?(_ arguments: [String], root: any ParsableCommand.Type) {
        var path = [root]
        // Options of groups are flags that end the program, such as --help; the parser checks what follows them.
        for word in arguments.prefix(while: { !$0.hasPrefix("-") }) {
            let group = path[path.count - 1]
            if word == "help", path.count == 1 { continue }
            guard !group.configuration.subcommands.isEmpty else { return nil }
            if let next = group.configuration.subcommands.first(where: {
                Self.name($0) == word || $0.configuration.aliases.contains(word)
            }) {
                path.append(next)
                continue
            }
            message = "'\(Self.text(path))' has no command '\(word)'"
            hint = Self.hint(word, path)
            return
        }
        return nil
    }

    /// The usage error to report.
    var failure: Failure {
        var failure = Failure(ValidationError(message))
        failure.hint = hint
        return failure
    }

    private static func name(_ command: any ParsableCommand.Type) -> String { command.configuration.commandName ?? "" }

    private static func text(_ path: [any ParsableCommand.Type]) -> String { path.map(name).joined(separator: " ") }

    private static func hint(_ word: String, _ path: [any ParsableCommand.Type]) -> String {
        let visible = path[path.count - 1].configuration.subcommands.filter { $0.configuration.shouldDisplay }.map(name)
        if let near = nearest(word, among: visible) { return "did you mean '\(text(path)) \(near)'?" }
        // `kumiai doctor` for `kumiai worker doctor`.
        let groups = path[0].configuration.subcommands.filter {
            $0.configuration.subcommands.contains { name($0) == word }
        }
        if !groups.isEmpty {
            let commands = groups.map { "'\(name(path[0])) \(name($0)) \(word)'" }.joined(separator: " or ")
            return "did you mean \(commands)?"
        }
        return "its commands are \(visible.joined(separator: ", ")); see '\(text(path)) --help'"
    }

    /// The name with the smallest edit distance, if that distance is small for a word of its length.
    static func nearest(_ word: String, among names: [String]) -> String? {
        let near = names.map { (name: $0, edits: edits(from: word, to: $0)) }.min { $0.edits < $1.edits }
        guard let near, near.edits <= max(1, near.name.count / 3) else { return nil }
        return near.name
    }

    /// The edit distance: insertions, deletions, replacements and exchanges of neighbouring characters.
    static func edits(from a: String, to b: String) -> Int {
        // Long words are not near any name, and the table below grows with the product of both lengths.
        let a = Array(a.prefix(64)), b = Array(b.prefix(64))
        guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
        var rows = [[Int](0...b.count)]
        for i in 1...a.count {
            var row = [i]
            for j in 1...b.count {
                var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
