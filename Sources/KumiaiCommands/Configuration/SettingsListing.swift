import ArgumentParser
import Settings

/// How a command lists all keys of a file, as they are declared.
struct SettingsListing: ParsableArguments {
    @Flag(help: "Print a table in Markdown, as in README.md.")
    var markdown = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        guard !markdown || !json.isOn else { throw ValidationError("--markdown and --json exclude each other") }
    }

    private struct Report: Encodable {
        let settings: [Row]
    }

    private struct Row: Encodable {
        let key: String
        /// As in the file; `nil`: it must be given.
        let fallback: String?
        let expected: String
        let help: String

        enum CodingKeys: String, CodingKey {
            case key, expected, help
            case fallback = "default"
        }
    }

    func show<Root>(_ schema: SettingSchema<Root>) throws {
        if markdown {
            for line in schema.markdown.split(separator: "\n") { Terminal.print("\(String(line))") }
            return
        }
        let rows = schema.rows
        if json.isOn {
            return try Report(
                settings: rows.map {
                    Row(
                        key: $0.key,
                        fallback: $0.fallback.isEmpty ? nil : $0.fallback,
                        expected: $0.range,
                        help: $0.help
                    )
                }
            ).printJSON()
        }
        for row in rows {
            let fallback = row.fallback.isEmpty ? "" : "; default: \(row.fallback)"
            Terminal.print("\(row.key)  \(row.range)\(fallback)")
            if !row.help.isEmpty { Terminal.print("    \(row.help)") }
        }
    }
}
