import ArgumentParser

struct ModelGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Register a base model, and fetch one.",
        subcommands: [ModelImportCommand.self, ModelFetchCommand.self]
    )
}
