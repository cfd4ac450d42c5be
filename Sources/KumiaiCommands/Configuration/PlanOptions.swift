import ArgumentParser

/// What of a plan the command line can choose; the rest is edited in its file.
struct PlanOptions: ParsableArguments {
    enum CompressionKind: String, ExpressibleByArgument, CaseIterable { case none, bfloat16, int8, topk }

    @Option(help: "Train adapters of this rank in place of the whole model; 0 trains the model.")
    var loraRank = 0

    @Option(help: "The form in which updates are sent.")
    var compression: CompressionKind = .none

    func validate() throws {
        guard (0...1024).contains(loraRank) else { throw ValidationError("--lora-rank is 0 to 1024") }
    }

    var learning: Learning { Learning(rank: loraRank, compression: compression) }

    /// The plan's sections about it.
    struct Learning {
        var rank = 0
        var compression = CompressionKind.none

        /// Commented out where they are not chosen.
        var sections: String { [adapters, form].joined(separator: "\n\n") }

        private var adapters: String {
            """
            # Adapters in place of the whole model. aggregation: exact (FedEx-LoRA), average (FedIT), alternating \
            (RoLoRA) or
            # frozen_a (FFA-LoRA).
            \(lines(["[lora]", "rank = \(rank > 0 ? rank : 8)", "alpha = \(Double(rank > 0 ? 2 * rank : 16))", #"targets = ["qkv", "proj", "fc1", "fc2"]"#, #"aggregation = "exact""#], rank > 0))
            """
        }

        private var form: String {
            let settings =
                compression == .topk
                ? ["fraction = 0.05"] : compression == .int8 || compression == .none ? ["block = 256"] : []
            let kind = compression == .none ? "int8" : compression.rawValue
            return """
                # The form in which updates are sent: none (4 bytes a value), bfloat16 (2), int8 with a scale for \
                each block of values
                # (1), or topk: only the largest values, a fraction of all, 8 bytes each; the site keeps the rest for \
                its next update.
                \(lines(["[compression]", "kind = \"\(kind)\""] + settings, compression != .none))
                """
        }

        private func lines(_ lines: [String], _ isChosen: Bool) -> String {
            lines.map { isChosen ? $0 : "# \($0)" }.joined(separator: "\n")
        }
    }
}
