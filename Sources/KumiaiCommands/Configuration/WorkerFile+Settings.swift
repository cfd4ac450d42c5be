import Federation
import Settings
import Worker

extension WorkerFile {
    static let schema = SettingSchema<WorkerFile>([
        SettingSection {
            Endpoint.setting(
                "coordinator",
                \.coordinator,
                help: "The worker only ever connects outwards, to this address."
            )
            Setting(
                "proxy",
                \.proxy,
                .text("http://[user:password@]host:port"),
                default: "",
                help: "The factory's HTTP proxy, which must allow CONNECT to that address; \"\" is none."
            )
            Setting(
                "data",
                \.data,
                .path,
                help: "Models, the outbox, receipts, and sent.jsonl: a line for everything that left this site."
            )
            Setting(
                "exit_when_finished",
                \.exitWhenFinished,
                .flag,
                help: "Ends the worker when a campaign has ended, rather than waiting for the next."
            )
            Setting(
                "display_name",
                \.displayName,
                .name(
                    "at most \(Heartbeat.displayNameBytes) bytes without control or invisible characters",
                    text: { $0 },
                    parse: { Heartbeat.isDisplayName($0) ? $0 : nil }
                ),
                default: "",
                help: "What people call this site, in any script; it is shown beside its identifier."
            )
        },
        IdentitySection.section.of(\.identity), TrainingSection.section.of(\.training),
        TransferSection.section.of(\.transfer),
    ])
}

extension WorkerFile.TrainingSection {
    static let section = SettingSection<Self>(
        "training"
    ) {
        Setting(
            "demonstrations",
            \.demonstrations,
            .path,
            help: """
                A robomimic or ALOHA HDF5 file, or a directory of ALOHA files. They are read here and nowhere else.
                """
        )
        Setting("threads", \.threads, .integer(1...256), help: "Threads that train.")
        Setting(
            "snapshot_seconds",
            \.snapshotSeconds,
            .integer(1...86_400),
            default: 60,
            help: "How often a training in progress is saved: what a crash may cost."
        )
        Setting(
            "embodiment",
            \.embodiment,
            .text("a text"),
            default: "",
            help: "The robot, if the files do not name it; \"\" is not given."
        )
        Setting(
            "instruction",
            \.instruction,
            .text("a text"),
            default: "",
            help:
                "The instruction that the data follow, in any language, if the files have none; \"\" is not given."
        )
        Setting(
            "control_hz",
            \.controlHertz,
            .number(.from(0, to: 10_000)),
            default: 0,
            help: "Steps a second of the data, if the files do not say it; 0 is not given."
        )
        Setting(
            "rank",
            \.rank,
            .integer(0...PlanLimits.loraRank),
            default: 0,
            help: """
                Components of an adapter that this site trains, if a plan has adapters; 0: as many as the plan says. \
                Fewer take less memory and send less.
                """
        )
    }
}

extension WorkerFile.TransferSection {
    static let section = SettingSection<Self>(
        "transfer",
        help: "When models and updates may cross the link, and how fast. Heartbeats always may: they are a few bytes."
    ) {
        Setting(
            "upload_hours",
            \.uploadHours,
            hours,
            default: "",
            help: "In this machine's time, for example \"22:00-06:00\"; \"\" is always."
        )
        Setting("download_hours", \.downloadHours, hours, default: "", help: "")
        Setting(
            "upload_mbit_per_s",
            \.uploadRate,
            rate,
            default: 0,
            help: "Megabits a second; 0 is as fast as the link is."
        )
        Setting("download_mbit_per_s", \.downloadRate, rate, default: 0, help: "")
        Setting(
            "largest_model_gb",
            \.largestModel,
            .number(.from(0.0001, to: 1e6)),
            default: Self().largestModel,
            help: """
                The largest model that this site fetches, in units of 1,000,000,000 bytes; a larger one is refused \
                before the first byte.
                """
        )
    }

    private static var hours: SettingConversion<String> {
        .text("HH:MM-HH:MM, or \"\"") { $0.isEmpty || DailyHours($0) != nil }
    }

    private static var rate: SettingConversion<Double> { .number(.from(0.01, to: 1e6), orZero: true) }
}
