"""The reference's own documents, as they stand: what must come out right when they are posted."""

from __future__ import annotations

from typing import Any

FLEET: dict[str, Any] = {
    "FleetId": "FORTRESSService-NA-X0",
    "VersionId": 5,
    "LatestVersionId": 5,
    "ServiceId": "FORTRESSService",
    "AuditMetadata": {
        "Message": "Updated host throughput",
        "User": "jsmith",
        "Timestamp": "2024-06-01T10:00:00Z",
    },
    "FleetConfiguration": {
        "ApolloName": "FORTRESSService_NA_X0",
        "Region": "us-east-1",
        "HostThroughPutTPM": 250,
        "BufferPercentage": 10,
        "CTFactor": 1.5,
        "MaxHostCount": 200,
        "HostType": "c5.2xlarge",
        "ASGProperties": [
            {
                "AutoScalingGroupName": "FORTRESSService/NA/X0/Prod/1a",
                "AvailabilityZone": "us-east-1a",
                "MaxInstance": 50,
                "MinInstance": 5,
                "DesiredCapacity": 50,
            },
            {
                "AutoScalingGroupName": "FORTRESSService/NA/X0/Prod/1b",
                "AvailabilityZone": "us-east-1b",
                "MaxInstance": 50,
                "DesiredCapacity": 50,
            },
            {
                "AutoScalingGroupName": "FORTRESSService/NA/X0/Prod/1c",
                "AvailabilityZone": "us-east-1c",
                "MaxInstance": 50,
                "DesiredCapacity": 50,
            },
        ],
        "ChildApolloEnvs": [{"ApolloName": "FORTRESSService_NA_X0_Child1", "SumDesiredCapacity": 10}],
        "EAPEnrolledStatus": True,
        "Homogeneous": True,
    },
    "EventId": "PD2024",
    "FleetProjection": [
        {
            "TotalInputTPMProperties": {"TotalInputTPM": 50000, "TotalInputTPMLinkVerifiedByCustomer": True},
            "ProjectionType": "CloudTune",
        }
    ],
    "HostOrderStatuses": [{"HostsPendingApproval": {"us-east-1a": 20, "us-east-1b": 20, "us-east-1c": 10}}],
}

SERVICE: dict[str, Any] = {
    "ServiceId": "FORTRESSService",
    "VersionId": 3,
    "LatestVersionId": 3,
    "ServiceType": "Registered",
    "Owner": "fortress-owner@amazon.com",
    "LeaderAlias": "jsmith",
    "Fleet": [
        {"Region": "NA", "Fleets": ["FORTRESSService-NA-X0", "FORTRESSService-NA-X6"]},
        {"Region": "EU", "Fleets": ["FORTRESSService-EU-X0"]},
    ],
    "Philosophy": {"MaxHosts": 500, "MinHosts": 10, "CapacityStrategy": "PerformanceBased"},
    "OnboardingStatus": "Completed",
    "ServiceTier": "Tier1",
}

EVENT: dict[str, Any] = {
    "EventId": "PD2024",
    "VersionId": 2,
    "LatestVersionId": 2,
    "EventName": "Prime Day 2024",
    "EventType": "Peak",
    "RegionList": ["us-east-1", "eu-west-1", "us-west-2"],
    "SPCOEventDatesByRegion": {
        "us-east-1": {
            "SPCOStartDate": "2024-05-15",
            "SPCOEndDate": "2024-07-20",
            "GameDayDates": ["2024-06-01", "2024-06-15"],
        },
        "eu-west-1": {"SPCOStartDate": "2024-05-15", "SPCOEndDate": "2024-07-20"},
    },
    "PeakStartDate": "2024-07-16",
    "PeakEndDate": "2024-07-17",
    "IsActive": True,
    "EmergentScaleStartDate": "2024-07-09",
}

PLAN: dict[str, Any] = {
    "EventPlanId": "PD2024#FORTRESSService-NA-X0",
    "VersionId": 8,
    "LatestVersionId": 8,
    "FleetId": "FORTRESSService-NA-X0",
    "EventId": "PD2024",
    "ServiceId": "FORTRESSService",
    "EventMilestone": [
        {
            "EventMilestoneId": "GatherProjectionFromUpstream",
            "MilestoneCompletionStatus": "Completed",
            "MilestoneMessage": "All upstream projections verified",
            "PeakReadyStatus": "Green",
            "ETA": "2024-06-01",
            "LastUpdatedTimestamp": "2024-06-01T12:00:00Z",
        },
        {
            "EventMilestoneId": "HardwareOrder",
            "MilestoneCompletionStatus": "Completed",
            "MilestoneMessage": "[Automated] Hardware order placed: SPCO-789",
            "PeakReadyStatus": "Green",
            "SubMilestones": [
                {
                    "EventMilestoneId": "PlaceHardwareOrder",
                    "MilestoneCompletionStatus": "Completed",
                    "MilestoneMessage": "50 hosts ordered via HOTW",
                },
                {
                    "EventMilestoneId": "HardwareOrderApproval",
                    "MilestoneCompletionStatus": "Completed",
                    "MilestoneMessage": "Order approved by AWS",
                },
            ],
        },
        {
            "EventMilestoneId": "HardwareFulfillment",
            "MilestoneCompletionStatus": "InProgress",
            "MilestoneMessage": "1 of 4 orders pending",
            "PeakReadyStatus": "Yellow",
        },
        {
            "EventMilestoneId": "CommunicateTPMToDownstream",
            "MilestoneCompletionStatus": "NotStarted",
            "PeakReadyStatus": "Red",
        },
        {
            "EventMilestoneId": "UpdateThrottlingInSDC",
            "MilestoneCompletionStatus": "NotStarted",
            "PeakReadyStatus": "Red",
        },
    ],
    "EventDescaleMilestone": [
        {"EventMilestoneId": "GatherDescaleProjections", "MilestoneCompletionStatus": "NotStarted"}
    ],
    "AuditMetadata": {
        "Message": "HOTW placed hardware order",
        "User": "HOTWAutomation",
        "Timestamp": "2024-06-15T09:00:00Z",
    },
}

PROJECTION: dict[str, Any] = {
    "ProjectionId": "FORTRESSService-NA-X0#PD2024#Peak",
    "VersionId": 3,
    "FleetId": "FORTRESSService-NA-X0",
    "EventId": "PD2024",
    "ProjectionType": "Peak",
    "TotalInputTPM": 50000,
    "IsVerifiedByOwner": True,
    "CloudTuneProjection": 48000,
    "ManualOverride": 50000,
    "ProjectionSource": "Manual",
    "UpstreamProjections": [{"UpstreamServiceId": "OrderService", "UpstreamTPM": 20000, "IsVerified": True}],
}

INVENTORY: dict[str, Any] = {"HostsPresent": 150, "AsOf": "2024-06-15T08:00:00Z", "Source": "Apollo"}
