import ArgumentParser

struct AdapterGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapter",
        abstract: "Merge a LoRA adapter into a model, or extract one from two models. The format is PEFT's.",
        subcommands: [AdapterMergeCommand.self, AdapterExtractCommand.self]
    )
}
